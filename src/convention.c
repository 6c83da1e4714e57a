/* The conventions: one row of one table each. */
#include "convention.h"

#include <string.h>

enum layout { INTERLEAVED, HALVES };
enum exponent { TWO_I_OVER_D, I_OVER_HALF_MINUS_ONE };
enum odd { SINE_LAST, ZERO_LAST, SINE_BEFORE_COSINES };

struct convention_row {
    posemb_convention_info info;
    enum layout layout;
    enum exponent exponent;
    enum odd odd;
};

static const struct convention_row rows[] = {
    {{POSEMB_VASWANI, "vaswani", "[s0 c0 s1 c1 ...]", "base^(-2i/D)", "ends with a sine",
      "Vaswani et al. 2017, section 3.5; OpenNMT-py (interleaved), ESPnet, XLM, DistilBERT"},
     INTERLEAVED,
     TWO_I_OVER_D,
     SINE_LAST},
    {{POSEMB_T2T, "t2t", "[s0 s1 ... c0 c1 ...]", "base^(-i/max(floor(D/2)-1, 1))",
      "ends with a zero",
      "tensor2tensor get_timing_signal_1d; fairseq, M2M100, NLLB, Whisper's encoder, CTranslate2"},
     HALVES,
     I_OVER_HALF_MINUS_ONE,
     ZERO_LAST},
    {{POSEMB_MARIAN_HF, "marian-hf", "[s0 s1 ... c0 c1 ...]", "base^(-2i/D)",
      "has one sine more than cosines",
      "Hugging Face Marian; RoFormer, CTRL, Transformer-XL, MAE per axis"},
     HALVES,
     TWO_I_OVER_D,
     SINE_BEFORE_COSINES},
};

static const size_t row_count = sizeof rows / sizeof *rows;

size_t posemb_convention_count(void)
{
    return row_count;
}

const posemb_convention_info *posemb_convention_at(size_t index)
{
    return index < row_count ? &rows[index].info : NULL;
}

const posemb_convention_info *posemb_convention_find(const char *name)
{
    for (size_t i = 0; name && i < row_count; i++)
        if (strcmp(rows[i].info.name, name) == 0)
            return &rows[i].info;
    return NULL;
}

static const struct convention_row *row_of(posemb_convention convention)
{
    for (size_t i = 0; i < row_count; i++)
        if (rows[i].info.convention == convention)
            return &rows[i];
    return NULL;
}

struct posemb__channels posemb__channels_of(const posemb_desc *resolved)
{
    const struct convention_row *row = row_of(resolved->convention);
    const uint32_t dim = resolved->dim;
    const uint32_t half = dim / 2;
    const bool odd = dim % 2 != 0;
    struct posemb__channels channels = {.interleaved = row->layout == INTERLEAVED,
                                        .pairs = half,
                                        .full_pairs = half,
                                        .cosine_offset = half,
                                        .lone = POSEMB__LONE_NONE,
                                        .lone_channel = dim - 1,
                                        .numerator = 2,
                                        .denominator = dim};

    if (row->exponent == I_OVER_HALF_MINUS_ONE) {
        channels.numerator = 1;
        channels.denominator = half > 2 ? half - 1 : 1;
    }
    if (odd && row->odd == ZERO_LAST)
        channels.lone = POSEMB__LONE_ZERO;
    else if (odd) {
        channels.lone = POSEMB__LONE_SINE;
        channels.pairs = half + 1;
    }
    if (odd && row->odd == SINE_BEFORE_COSINES) {
        channels.lone_channel = half;
        channels.cosine_offset = half + 1;
    }
    return channels;
}
