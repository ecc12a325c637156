#pragma once
#include <stdarg.h>
#include <stddef.h>
int vsnprintf(char *restrict to, size_t size, const char *restrict format, va_list arguments);
