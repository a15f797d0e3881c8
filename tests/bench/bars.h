// A plot of ratios as an SVG picture: a row of bars for each, on a logarithmic scale.
#pragma once

#include <string>
#include <vector>

namespace kite::bench {

struct Bars {
  std::string title;
  std::vector<std::string> series;
  struct Row {
    std::string name;
    std::vector<double> values;  // one a series; 0: there is none
    double goal;                 // a mark; 0: none
  };
  std::vector<Row> rows;
};

std::string to_svg(const Bars& bars);

}  // namespace kite::bench
