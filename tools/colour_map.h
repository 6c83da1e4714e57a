/* Colours for numbers, which readers with any colour vision can put in order. */
#ifndef POSEMB_COLOUR_MAP_H
#define POSEMB_COLOUR_MAP_H

#include <stdint.h>

enum colour_map {
    MAP_SEQUENTIAL, /* viridis: dark is little, bright is much */
    MAP_DIVERGING   /* blue is below, white is the middle, orange is above */
};

/* 0xRRGGBB, sRGB. */
typedef uint32_t colour;

/* The colour of t in 0 ... 1; what lies outside has the colour of the end, NaN that of
 * colour_of_nan(). The lightness changes evenly with t. */
colour colour_at(enum colour_map map, double t);

/* A colour that the map does not have. */
colour colour_of_nan(enum colour_map map);

/* Lines: blue, orange, green, purple, of Okabe and Ito, then the same again. */
colour colour_of_line(unsigned index);

/* A byte of a colour as 0 ... 1: 16 red, 8 green, 0 blue. */
double colour_part(colour of, unsigned shift);

#endif
