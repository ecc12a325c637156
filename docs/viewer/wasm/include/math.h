#pragma once
#define INFINITY __builtin_inf()
#define isnan(number) __builtin_isnan(number)
#define signbit(number) __builtin_signbit(number)
#define fabs(number) __builtin_fabs(number)
#define rint(number) __builtin_rint(number) /* an instruction of WebAssembly */
#define lrint(number) ((long)__builtin_rint(number))
double frexp(double number, int *exponent);
double ldexp(double number, int exponent);
