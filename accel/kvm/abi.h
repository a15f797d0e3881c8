// <linux/kvm.h>, with the layouts that C sees.
//
// Some versions of the header declare a flexible array as an empty struct beside it, which takes a
// byte in C++ and none in C: sizes, offsets and with them the numbers of ioctls come out wrong.
// Linux's own C++ form of the declaration, from later versions, is put in its place.
#pragma once

#include <linux/stddef.h>

#undef __DECLARE_FLEX_ARRAY
#define __DECLARE_FLEX_ARRAY(TYPE, NAME) TYPE NAME[0]

#include <linux/kvm.h>

static_assert(sizeof(kvm_cpuid2) == 8 && sizeof(kvm_msrs) == 8 && sizeof(kvm_msr_list) == 4);
static_assert(sizeof(kvm_xsave) == 4096 && KVM_GET_MSRS == 0xc008ae88);
