#include "tests/bench/bars.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace kite::bench {
namespace {

constexpr double kLeft = 180, kTop = 54, kBar = 8, kGap = 8, kWidth = 760, kRight = 50;
constexpr const char* kColours[] = {"#1f6fb4", "#e08a1e", "#4a9a55"};

std::string text(double x, double y, const char* anchor, const std::string& words) {
  return fmt::format("<text x='{:.0f}' y='{:.0f}' text-anchor='{}'>{}</text>\n", x, y, anchor,
                     words);
}

std::string box(double x, double y, double width, double height, const char* colour) {
  return fmt::format("<rect x='{:.1f}' y='{:.1f}' width='{:.1f}' height='{:.1f}' fill='{}'/>\n", x,
                     y, width, height, colour);
}

std::string line(double x, double from, double to, const char* colour) {
  return fmt::format("<path d='M{:.1f} {:.1f}V{:.1f}' stroke='{}'/>\n", x, from, to, colour);
}

std::string in_words(double value) {
  return value < 100 ? fmt::format("{:.3g}", value) : fmt::format("{:.0f}", value);
}

// From 0.5, so that a value of 1 has a bar, to the power of ten above the largest.
class Scale {
 public:
  explicit Scale(const Bars& bars) {
    double most = 10;
    for (const Bars::Row& row : bars.rows)
      for (double value : row.values) most = std::max(most, value);
    decades_ = std::ceil(std::log10(most) - 1e-9);
  }
  double length(double value) const {
    const double part =
        std::log10(std::max(value, kLeast) / kLeast) / (decades_ - std::log10(kLeast));
    return part * (kWidth - kLeft - kRight);
  }
  double decades() const { return decades_; }

 private:
  static constexpr double kLeast = 0.5;
  double decades_;
};

std::string bars_of(const Bars::Row& row, double y, const Scale& scale) {
  std::string all =
      text(kLeft - 8, y + kBar * static_cast<double>(row.values.size()) / 2 + 4, "end", row.name);
  double at = y;
  for (std::size_t i = 0; i < row.values.size(); ++i, at += kBar) {
    const double length = row.values[i] > 0 ? scale.length(row.values[i]) : 0;
    all += box(kLeft, at, length, kBar - 1, kColours[i % std::size(kColours)]);
    if (length > 0) all += text(kLeft + length + 4, at + kBar, "start", in_words(row.values[i]));
  }
  if (row.goal > 0) all += line(kLeft + scale.length(row.goal), y - 3, at + 2, "#c00");
  return all;
}

std::string legend(const Bars& bars) {
  std::string all;
  double x = kLeft;
  for (std::size_t i = 0; i < bars.series.size(); ++i) {
    all += box(x, 28, 10, 10, kColours[i % std::size(kColours)]);
    all += text(x + 14, 37, "start", bars.series[i]);
    x += 30 + 7 * static_cast<double>(bars.series[i].size());
  }
  return all + line(x + 4, 27, 39, "#c00") + text(x + 12, 37, "start", "wanted at most");
}

}  // namespace

std::string to_svg(const Bars& bars) {
  const Scale scale(bars);
  const double row_height = kBar * static_cast<double>(bars.series.size()) + kGap;
  const double bottom = kTop + row_height * static_cast<double>(bars.rows.size());
  std::string all = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' width='{0:.0f}' height='{1:.0f}' "
      "font-family='sans-serif' font-size='11'>\n<rect width='{0:.0f}' height='{1:.0f}' "
      "fill='#fff'/>\n",
      kWidth, bottom + 24);
  all += text(kLeft, 18, "start", bars.title) + legend(bars);
  double value = 1;
  for (int power = 0; power <= static_cast<int>(scale.decades()); ++power, value *= 10) {
    all += line(kLeft + scale.length(value), kTop - 6, bottom, power ? "#ccc" : "#666");
    all += text(kLeft + scale.length(value), bottom + 14, "middle", fmt::format("{:.0f}", value));
  }
  double y = kTop;
  for (const Bars::Row& row : bars.rows) {
    all += bars_of(row, y, scale);
    y += row_height;
  }
  return all + "</svg>\n";
}

}  // namespace kite::bench
