/* Colours for numbers, which readers with any colour vision can put in order. */
#include "colour_map.h"

#include <math.h>

enum { POINTS = 33 };

/* Viridis (van der Walt, Smith and Firing, matplotlib; CC0), every eighth of its 256 colours; what
 * lies between is interpolated, at most 2/255 from it. */
static const colour viridis[POINTS] = {
    0x440154, 0x470d60, 0x48186a, 0x482374, 0x472d7b, 0x453681, 0x424086, 0x3f4989, 0x3b528b,
    0x375a8d, 0x33638d, 0x2f6a8e, 0x2c728e, 0x297a8e, 0x26818e, 0x23898e, 0x21908c, 0x1f988b,
    0x1f9f88, 0x21a685, 0x28ae80, 0x31b57b, 0x3ebc74, 0x4cc26c, 0x5dc963, 0x6ece58, 0x82d34c,
    0x96d83f, 0xabdc32, 0xc0df24, 0xd5e21a, 0xeae51a, 0xfde725};

/* Blue and orange arms in CIELAB: the lightness falls evenly from 97 in the middle to 28 at both
 * ends; the hues, 262 to 280 and 72 to 54 degrees, are apart for every kind of colour vision. */
static const colour blue_orange[POINTS] = {
    0x00427f, 0x014d8e, 0x01579e, 0x0062ae, 0x006dbe, 0x0079cd, 0x0384dd, 0x1b90ea, 0x3f9bf1,
    0x59a7f6, 0x72b2f9, 0x89befb, 0x9fc9fc, 0xb5d5fb, 0xcbe0fa, 0xe1ebf8, 0xf6f6f6, 0xf6e8da,
    0xf5d9bf, 0xf3caa5, 0xf0bc8d, 0xebad76, 0xe59f60, 0xde914d, 0xd7833a, 0xce7629, 0xc46919,
    0xb95c08, 0xac5100, 0x9e4700, 0x8f3e00, 0x813500, 0x722d00};

double colour_part(colour of, unsigned shift)
{
    return (double)(of >> shift & 0xffu) / 255.0;
}

static colour mix_byte(colour low, colour high, unsigned shift, double part)
{
    const double from = (double)(low >> shift & 0xffu);
    const double to = (double)(high >> shift & 0xffu);

    return (colour)lrint(from + (to - from) * part) << shift;
}

colour colour_at(enum colour_map map, double t)
{
    const colour *points = map == MAP_DIVERGING ? blue_orange : viridis;
    double place;
    unsigned low;

    if (isnan(t))
        return colour_of_nan(map);
    place = fmin(fmax(t, 0.0), 1.0) * (POINTS - 1);
    low = place >= POINTS - 1 ? POINTS - 2 : (unsigned)place;
    place -= low;
    return mix_byte(points[low], points[low + 1], 16, place) |
           mix_byte(points[low], points[low + 1], 8, place) |
           mix_byte(points[low], points[low + 1], 0, place);
}

colour colour_of_nan(enum colour_map map)
{
    return map == MAP_DIVERGING ? 0x000000u : 0xffffffu;
}

colour colour_of_line(unsigned index)
{
    static const colour lines[] = {0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7};

    return lines[index % (sizeof lines / sizeof *lines)];
}
