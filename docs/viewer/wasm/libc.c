/* What the core needs of a C library and the host does not export. Memory is the host's. */

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < size; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

/* Products of 128 bits, by which the compiler finds overflows of 64 bits. */
__int128 __multi3(__int128 a, __int128 b);

__int128 __multi3(__int128 a, __int128 b)
{
    uint64_t x = (uint64_t)a, y = (uint64_t)b, low = UINT32_MAX;
    uint64_t bottom = (x & low) * (y & low), middle = (x >> 32) * (y & low) + (bottom >> 32);
    uint64_t other = (x & low) * (y >> 32) + (middle & low);
    uint64_t top = (x >> 32) * (y >> 32) + (middle >> 32) + (other >> 32);
    top += x * (uint64_t)((unsigned __int128)b >> 64) + y * (uint64_t)((unsigned __int128)a >> 64);
    return (__int128)((unsigned __int128)top << 64 | (other << 32 | (bottom & low)));
}

static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static double power_of_two(int exponent) /* of a normal number */
{
    uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* Of subnormal numbers the exponent is too high; the core treats all below 2^-14 alike. */
double frexp(double number, int *exponent)
{
    int field = (int)(bits_of(number) >> 52 & 2047);
    *exponent = number == 0 ? 0 : field - 1022;
    return number == 0 ? number : number * power_of_two(1022 - field < -1022 ? -1022 : 1022 - field);
}

/* The core asks for exponents from -5 to 24 only. */
double ldexp(double number, int exponent)
{
    return number * power_of_two(exponent);
}

typedef struct {
    char *at, *end;
} Text;

static void put(Text *text, char letter)
{
    if (text->at < text->end)
        *text->at++ = letter;
}

static void put_number(Text *text, uint64_t number, unsigned base)
{
    char digits[24];
    int count = 0;
    do
        digits[count++] = "0123456789abcdef"[number % base];
    while (number /= base);
    while (count)
        put(text, digits[--count]);
}

/* The conversions that messages use: %c, %s, %d, %u, %x and %#x, and z and ll before them. */
int vsnprintf(char *restrict to, size_t size, const char *restrict format, va_list arguments)
{
    Text text = {to, to + size - 1};
    for (; *format; format++) {
        if (*format != '%') {
            put(&text, *format);
            continue;
        }
        bool wide = false, prefix = false;
        while (*++format == 'l' || *format == 'z' || *format == '#') {
            wide |= format[0] == 'l' && format[-1] == 'l';
            prefix |= *format == '#';
        }
        if (*format == 'c') {
            put(&text, (char)va_arg(arguments, int));
        } else if (*format == 's') {
            for (const char *from = va_arg(arguments, const char *); *from; from++)
                put(&text, *from);
        } else if (*format == 'd') {
            int number = va_arg(arguments, int);
            if (number < 0)
                put(&text, '-');
            put_number(&text, number < 0 ? -(uint64_t)number : (uint64_t)number, 10);
        } else if (*format == 'u' || *format == 'x') {
            uint64_t number =
                wide ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned);
            for (int i = 0; prefix && i < 2; i++)
                put(&text, "0x"[i]);
            put_number(&text, number, *format == 'u' ? 10 : 16);
        } else {
            put(&text, *format);
        }
    }
    *text.at = 0;
    return (int)(text.at - to);
}
