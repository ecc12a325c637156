/* Include EACH once for words of each size: WORD, and WIDE, the least of 32 bits or more that holds
 * one. EACH undefines WORD, WIDE and NAME. */

#define WORD uint8_t
#define WIDE uint32_t
#define NAME(name) name##_8
#include EACH
#define WORD uint16_t
#define WIDE uint32_t
#define NAME(name) name##_16
#include EACH
#define WORD uint32_t
#define WIDE uint32_t
#define NAME(name) name##_32
#include EACH
#define WORD uint64_t
#define WIDE uint64_t
#define NAME(name) name##_64
#include EACH

#undef EACH
