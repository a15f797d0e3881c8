# Shared by ./quickstart, ./runtests, .ci/run and tests/boot/prepare: words, packages, builds, guests.
# POSIX sh, to be sourced after `cd` to the root of the tree.

say() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
complain() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { complain "$*"; exit 70; }
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command and shows it first.
run() { printf '+ %s\n' "$*"; "$@"; }

# The same with root's rights.
as_root() {
  if [ "$(id -u)" = 0 ]; then run "$@"
  elif have sudo; then run sudo "$@"
  elif have doas; then run doas "$@"
  else complain "this needs root, and there is neither sudo nor doas: $*"; return 1
  fi
}

system_name() {
  case $(uname -s) in
    Linux) if have apt-get; then echo debian; else echo linux; fi ;;
    FreeBSD | DragonFly) echo freebsd ;;
    NetBSD) echo netbsd ;;
    OpenBSD) echo openbsd ;;
    Darwin) echo macos ;;
    *) echo unknown ;;
  esac
}

# ---- packages -------------------------------------------------------------------------------------------------------

# What CMakeLists.txt looks for, system by system.
packages_debian='g++ cmake ninja-build pkg-config libcapstone-dev libspdlog-dev libfmt-dev libcli11-dev libexpected-dev
  nlohmann-json3-dev libgtest-dev libgmock-dev libmpfr-dev libgmp-dev zlib1g-dev liblzma-dev libbz2-dev libzstd-dev
  liblz4-dev libseccomp-dev acpica-tools cpio gzip'
packages_freebsd='cmake ninja pkgconf capstone spdlog libfmt cli11 tl-expected nlohmann-json googletest mpfr gmp zstd
  liblz4 acpica-tools'
packages_netbsd='cmake ninja-build pkgconf capstone spdlog fmtlib cli11 tl-expected nlohmann-json googletest mpfr gmp
  zstd lz4 xz bzip2 acpica-utils'
packages_openbsd='cmake ninja capstone spdlog fmt cli11 nlohmann-json gtest mpfr gmp zstd lz4 xz bzip2 acpica'
packages_macos='cmake ninja pkg-config capstone spdlog fmt cli11 tl-expected nlohmann-json googletest mpfr gmp zstd lz4
  xz acpica x86_64-elf-gcc'

# The packages among the arguments that dpkg does not have installed.
missing_debian() {
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

# Has this machine ever fetched the lists of packages?
have_package_lists() {
  for list in /var/lib/apt/lists/*_Packages*; do
    if [ -e "$list" ]; then return 0; fi
  done
  return 1
}

apt_install() {
  # A machine that just started may still be updating itself: wait for its lock.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -q \
    --no-install-recommends "$@"
}

install_debian() {
  missing=$(missing_debian "$@")
  [ -n "$missing" ] || { note 'every package is there'; return 0; }
  # shellcheck disable=SC2086  # a list of words
  set -- $missing
  if have_package_lists && apt_install "$@"; then return 0; fi
  # No lists, or lists older than the mirror's packages.
  as_root apt-get update -q && apt_install "$@"
}

# Homebrew refuses to run as root.
install_macos() {
  have brew || { complain 'Homebrew is needed: see https://brew.sh'; return 1; }
  for package in "$@"; do
    brew list --versions "$package" >/dev/null 2>&1 || run brew install "$package" || return 1
  done
}

install_openbsd() {
  for package in "$@"; do
    pkg_info -e "$package-*" >/dev/null 2>&1 || as_root pkg_add -I "$package" || return 1
  done
}

# Installs what a build needs, and the packages named as arguments (Debian's names) where they are Debian's.
# shellcheck disable=SC2086  # lists of words
install_packages() {
  say "Packages ($(system_name))"
  case $(system_name) in
    debian) install_debian $packages_debian "$@" ;;
    freebsd) as_root env ASSUME_ALWAYS_YES=yes pkg install $packages_freebsd ;;
    netbsd) as_root pkgin -y install $packages_netbsd ;;
    openbsd) install_openbsd $packages_openbsd ;;
    macos) install_macos $packages_macos ;;
    *) note "this system's package manager is not known here; README.md says what is needed" ;;
  esac || die 'packages are missing and could not be installed'
}

# ---- builds ---------------------------------------------------------------------------------------------------------

# configure FOLDER [cmake option…]
configure() {
  folder=$1; shift
  if have ccache; then set -- "$@" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
  log=$folder.log
  echo "+ cmake -S . -B $folder -G Ninja $*"
  if cmake -S . -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release "$@" >"$log" 2>&1; then rm -f "$log"
  else cat "$log"; return 1
  fi
}

# configure_and_build FOLDER TARGET [cmake option…]
configure_and_build() {
  folder=$1 target=$2; shift 2
  mkdir -p build
  configure "$folder" "$@" || return 1
  run cmake --build "$folder" --target "$target"
}

# ---- guests ---------------------------------------------------------------------------------------------------------

guests=${KITE_GUESTS:-build/guests}

# The package of an actual kernel behind Debian's metapackage: linux-image-cloud-amd64 -> linux-image-6.1.0-…
kernel_package() {
  apt-cache depends "$1" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1
}

# Downloads a Debian package and unpacks it into a folder; nothing is installed.
unpack_package() {
  package=$1 folder=$2
  download=$(mktemp -d) || return 1
  # apt downloads as a user of its own when it is root, who must be able to write here.
  [ "$(id -u)" != 0 ] || chown _apt "$download" 2>/dev/null
  (cd "$download" && run apt-get download -q "$package") && dpkg-deb -x "$download"/*.deb "$folder"
  status=$?
  rm -rf "$download"
  return $status
}

have_debian_packages() { [ "$(system_name)" = debian ] && [ "$(dpkg --print-architecture)" = amd64 ]; }

# Fetches the lists of packages, once: the ones that are there may name packages the mirror has replaced.
refresh_lists() {
  [ -z "$lists_refreshed" ] || return 1
  lists_refreshed=yes
  as_root apt-get -o APT::Update::Error-Mode=any update -q
}
lists_refreshed=

# with_lists command: runs it, and once more with fresh lists if it fails.
with_lists() {
  if have_package_lists && "$@"; then return 0; fi
  refresh_lists && "$@"
}

# with_i386_packages command…: runs it with apt looking at Debian's i386 packages, by lists of its own in a temporary
# folder: this machine's dpkg never hears of another architecture.
with_i386_packages() (
  have_debian_packages || { note 'no Debian packages for this host'; exit 1; }
  lists=$(mktemp -d) || exit 1
  trap 'rm -rf "$lists"' EXIT
  chmod 755 "$lists" # apt downloads as a user of its own when it is root
  mkdir -p "$lists/state/lists/partial" "$lists/cache/archives/partial"
  cat >"$lists/apt.conf" <<CONFIGURATION
APT::Architecture "i386";
APT::Architectures "i386";
Dir::State "$lists/state";
Dir::State::status "/dev/null";
Dir::Cache "$lists/cache";
CONFIGURATION
  APT_CONFIG=$lists/apt.conf
  export APT_CONFIG
  # One list that cannot be had need not be the one with these packages.
  run apt-get update -q || note 'not every list could be had'
  "$@"
)

# The 32-bit guests: build/guests/linux-686, linux-686-pae, and initramfs-i386.gz with a 32-bit busybox.
prepare_i386() {
  missing=
  for kind in "$@"; do
    [ -s "$guests/linux-$kind/vmlinuz" ] || missing="$missing $kind"
  done
  # shellcheck disable=SC2086  # a list of words
  if [ -n "$missing" ] || [ ! -x "$guests/busybox-i386" ]; then with_i386_packages fetch_i386 $missing || return 1; fi
  prepare_initramfs i386
}

fetch_i386() {
  for kind in "$@"; do
    metapackage=linux-image-$kind target=$guests/linux-$kind
    fetch_kernel || { rm -rf "$target.new"; return 1; }
  done
  [ -x "$guests/busybox-i386" ] || fetch_busybox busybox-i386 || { rm -rf "$guests/busybox-i386.new"; return 1; }
}

# prepare_kernel cloud|generic: build/guests/linux-KIND/vmlinuz, and its release in build/guests/linux-KIND/release.
prepare_kernel() {
  kind=$1 target=$guests/linux-$1
  [ ! -s "$target/vmlinuz" ] || return 0
  have_debian_packages || { note "no Debian packages for this host, so no $kind kernel"; return 1; }
  case $kind in
    cloud) metapackage=linux-image-cloud-amd64 ;;
    *) metapackage=linux-image-amd64 ;;
  esac
  with_lists fetch_kernel || { rm -rf "$target.new"; return 1; }
}

fetch_kernel() {
  package=$(kernel_package "$metapackage")
  [ -n "$package" ] || { note "$metapackage is not to be had here"; return 1; }
  say "Kernel: $package, downloaded and unpacked, not installed"
  rm -rf "$target.new"
  mkdir -p "$target.new/unpacked"
  unpack_package "$package" "$target.new/unpacked" || return 1
  mv "$target.new"/unpacked/boot/vmlinuz-* "$target.new/vmlinuz" || return 1
  echo "${package#linux-image-}" >"$target.new/release"
  rm -rf "$target.new/unpacked" "$target"
  mv "$target.new" "$target"
}

# prepare_initramfs [i386]: build/guests/initramfs.gz (initramfs-i386.gz): Debian's static busybox and
# tests/boot/busybox_init.
prepare_initramfs() {
  busybox=busybox${1:+-$1}
  initramfs=$guests/initramfs${1:+-$1}.gz
  if [ -s "$initramfs" ] && [ -z "$(find tests/boot/busybox_init -newer "$initramfs")" ]; then return 0; fi
  have_debian_packages || return 1
  [ -x "$guests/$busybox" ] || with_lists fetch_busybox "$busybox" || { rm -rf "$guests/$busybox.new"; return 1; }
  say 'Initramfs: busybox and tests/boot/busybox_init'
  root=$(mktemp -d) || return 1
  mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp"
  cp "$guests/$busybox" "$root/bin/busybox" && cp tests/boot/busybox_init "$root/init" && chmod 755 "$root/init" "$root/bin/busybox" &&
    (cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) | gzip -9n >"$initramfs.new" &&
    mv "$initramfs.new" "$initramfs"
  status=$?
  rm -rf "$root"
  [ "$status" != 0 ] || note "$initramfs, $(wc -c <"$initramfs") bytes"
  return $status
}

# fetch_busybox NAME: its program as build/guests/NAME.
fetch_busybox() {
  say 'busybox-static, downloaded and unpacked, not installed'
  mkdir -p "$guests/$1.new"
  unpack_package busybox-static "$guests/$1.new" && mv "$guests/$1.new/bin/busybox" "$guests/$1" && rm -rf "$guests/$1.new"
}

# prepare_package PACKAGE FOLDER FILE…: these files of a Debian package, in build/guests/FOLDER.
prepare_package() {
  package=$1 target=$guests/$2; shift 2
  [ ! -d "$target" ] || return 0
  have_debian_packages || { note "no Debian packages for this host, so no $package"; return 1; }
  say "$package, downloaded and unpacked, not installed"
  rm -rf "$target.new" "$target.unpacked"
  mkdir -p "$target.new" "$target.unpacked"
  with_lists unpack_package "$package" "$target.unpacked" && for file in "$@"; do
    cp "$target.unpacked/$file" "$target.new/" || break
  done && mv "$target.new" "$target"
  status=$?
  rm -rf "$target.new" "$target.unpacked"
  return $status
}

# A CD-ROM with GRUB on the serial port, which starts ENTRY (GRUB's commands) after a second.
# make_grub_image IMAGE TOOLS ENTRY FILE…: TOOLS is where GRUB and xorriso were unpacked.
make_grub_image() {
  image=$1 tools=$2 entry=$3; shift 3
  tree=$(mktemp -d) || return 1
  mkdir -p "$tree/boot/grub"
  cat >"$tree/boot/grub/grub.cfg" <<END
serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
set timeout=1
menuentry "Kite boot test" { $entry }
END
  cp "$@" "$tree/boot/" &&
    LD_LIBRARY_PATH=$tools/usr/lib/x86_64-linux-gnu:$tools/lib/x86_64-linux-gnu "$tools/usr/bin/grub-mkimage" \
      -d "$tools/usr/lib/grub/i386-pc" -O i386-pc-eltorito -p /boot/grub -o "$tree/boot/grub/eltorito.img" \
      biosdisk iso9660 serial terminal normal configfile linux linux16 multiboot &&
    LD_LIBRARY_PATH=$tools/usr/lib/x86_64-linux-gnu "$tools/usr/bin/xorriso" -as mkisofs -quiet -R \
      -b boot/grub/eltorito.img -no-emul-boot -boot-load-size 4 -boot-info-table -o "$image.new" "$tree" 2>/dev/null &&
    mv "$image.new" "$image"
  status=$?
  rm -rf "$tree"
  return $status
}

# unpack_packages FOLDER PACKAGE…
unpack_packages() {
  into=$1; shift
  for each in "$@"; do
    with_lists unpack_package "$each" "$into" || return 1
  done
}

# build/guests/grub/linux.iso and memtest.iso; the cloud kernel, initramfs.gz and memtest86+ are there already.
prepare_grub() {
  [ ! -d "$guests/grub" ] || return 0
  have_debian_packages || { note 'no Debian packages for this host, so no GRUB'; return 1; }
  say 'GRUB and xorriso, downloaded and unpacked, not installed'
  tools=$(mktemp -d) || return 1
  mkdir -p "$guests/grub.new"
  unpack_packages "$tools" grub-common grub-pc-bin xorriso libisoburn1 libisofs6 libburn4 libjte2 libdevmapper1.02.1 &&
    make_grub_image "$guests/grub.new/linux.iso" "$tools" 'linux /boot/vmlinuz console=ttyS0 panic=-1
      initrd /boot/initramfs.gz' "$guests/linux-cloud/vmlinuz" "$guests/initramfs.gz" &&
    make_grub_image "$guests/grub.new/memtest.iso" "$tools" 'linux /boot/memtest86+x64.bin console=ttyS0,115200' \
      "$guests/memtest/memtest86+x64.bin" && mv "$guests/grub.new" "$guests/grub"
  status=$?
  rm -rf "$tools" "$guests/grub.new"
  return $status
}

# What tests/boot/busybox_init prints when user space runs.
user_space_marker='kite: user space is up'

# boot_to_user_space KITE KIND: boots that kernel and waits for the marker.
boot_to_user_space() {
  run "$1" run --accel tcg --initrd "$guests/initramfs.gz" --append 'console=ttyS0' --memory 512M --timeout 600 \
    --expect "$user_space_marker" "$guests/linux-$2/vmlinuz"
}

# ---- tests ----------------------------------------------------------------------------------------------------------

processors() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }

# run_tests FOLDER [ctest option…]
run_tests() {
  folder=$1; shift
  run ctest --test-dir "$folder" --output-on-failure --no-tests=error -j "$(processors)" "$@"
}
