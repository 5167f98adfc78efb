# Compiler flags, in one place: strict, hardened, reproducible.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(bn_flags INTERFACE)
target_include_directories(bn_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(bn_flags INTERFACE _GNU_SOURCE BN_VERSION="${PROJECT_VERSION}")
target_compile_options(bn_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wwrite-strings -Wformat=2 -Wundef
  -Wno-missing-field-initializers -fno-strict-aliasing -fno-common -fstack-protector-strong
  $<$<BOOL:${BN_WERROR}>:-Werror>
  $<$<CONFIG:Release>:-O2 -g1 -D_FORTIFY_SOURCE=2 -UNDEBUG>)
target_link_options(bn_flags INTERFACE -Wl,-z,relro,-z,now,--as-needed)
if(BN_SANITIZE)
  target_compile_options(bn_flags INTERFACE -fsanitize=${BN_SANITIZE} -fno-omit-frame-pointer -O1)
  target_link_options(bn_flags INTERFACE -fsanitize=${BN_SANITIZE})
  if(BN_SANITIZE MATCHES undefined)
    target_compile_options(bn_flags INTERFACE -fno-sanitize-recover=undefined)
  endif()
endif()
if(BN_FUZZ)
  target_compile_options(bn_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
