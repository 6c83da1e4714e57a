/* The conventions: one row of one table each. */
#include "convention.h"

#include <math.h>
#include <string.h>

enum amplitude { ONE, ROOT_OF_ONE_OVER_D, ROOT_OF_TWO_OVER_D };

struct convention_row {
    posemb_convention_info info;
    posemb_layout layout;
    posemb_first first;
    posemb_denominator denominator;
    double shift;
    posemb_odd odd;
    enum amplitude amplitude;
};

static const struct convention_row rows[] = {
    {{POSEMB_VASWANI, "vaswani", "1", "[s0 c0 s1 c1 ...]", "base^(-2i/D)", "ends with a sine",
      "Vaswani et al. 2017, section 3.5; OpenNMT-py (interleaved), ESPnet, Keras, XLM, DistilBERT"},
     POSEMB_INTERLEAVED,
     POSEMB_SINE_FIRST,
     POSEMB_DENOMINATOR_REAL,
     0.0,
     POSEMB_ODD_FIRST,
     ONE},
    {{POSEMB_T2T, "t2t", "1", "[s0 s1 ... c0 c1 ...]", "base^(-i/(floor(D/2) - 1))",
      "ends with a zero",
      "tensor2tensor get_timing_signal_1d; fairseq, M2M100, NLLB, Whisper's encoder, CTranslate2"},
     POSEMB_HALVES,
     POSEMB_SINE_FIRST,
     POSEMB_DENOMINATOR_FLOOR,
     1.0,
     POSEMB_ODD_ZERO,
     ONE},
    {{POSEMB_MARIAN_HF, "marian-hf", "1", "[s0 s1 ... c0 c1 ...]", "base^(-2i/D)",
      "has one sine more than cosines",
      "Hugging Face Marian; RoFormer, CTRL, Transformer-XL, MAE per axis"},
     POSEMB_HALVES,
     POSEMB_SINE_FIRST,
     POSEMB_DENOMINATOR_REAL,
     0.0,
     POSEMB_ODD_FIRST,
     ONE},
    {{POSEMB_MARIAN_CPP, "marian-cpp", "1", "[s0 s1 ... c0 c1 ...]", "base^(-i/(D/2 - 1))",
      "ends with the cosine of pair 0",
      "Marian's SinusoidalPositionEmbeddings on CPU and GPU; t2t where D is even"},
     POSEMB_HALVES,
     POSEMB_SINE_FIRST,
     POSEMB_DENOMINATOR_REAL,
     1.0,
     POSEMB_ODD_SECOND,
     ONE},
    {{POSEMB_DIT, "dit", "1", "[c0 c1 ... s0 s1 ...]", "base^(-i/floor(D/2))", "ends with a zero",
      "DiT's and GLIDE's timestep_embedding; Stable Diffusion (flip_sin_to_cos, shift 0), ggml"},
     POSEMB_HALVES,
     POSEMB_COSINE_FIRST,
     POSEMB_DENOMINATOR_FLOOR,
     0.0,
     POSEMB_ODD_ZERO,
     ONE},
    {{POSEMB_DDPM, "ddpm", "1", "[s0 s1 ... c0 c1 ...]", "base^(-i/(floor(D/2) - 1))",
      "ends with a zero", "the DDPM code's get_timestep_embedding; the default of diffusers"},
     POSEMB_HALVES,
     POSEMB_SINE_FIRST,
     POSEMB_DENOMINATOR_FLOOR,
     1.0,
     POSEMB_ODD_ZERO,
     ONE},
    {{POSEMB_XTRANSFORMERS, "xtransformers", "D^(-1/2)", "[s0 s1 ... c0 c1 ...]",
      "base^(-i/floor(D/2))", "is refused",
      "x-transformers ScaledSinusoidalEmbedding as initialised; its scale is learned"},
     POSEMB_HALVES,
     POSEMB_SINE_FIRST,
     POSEMB_DENOMINATOR_FLOOR,
     0.0,
     POSEMB_ODD_REFUSED,
     ROOT_OF_ONE_OVER_D},
    {{POSEMB_MLX, "mlx", "(2/D)^(1/2)", "[s0 s1 ... c0 c1 ...]", "base^(-i/(floor(D/2) - 1))",
      "is refused",
      "MLX nn.SinusoidalPositionalEncoding; base is max_freq/min_freq, frequency max_freq"},
     POSEMB_HALVES,
     POSEMB_SINE_FIRST,
     POSEMB_DENOMINATOR_FLOOR,
     1.0,
     POSEMB_ODD_REFUSED,
     ROOT_OF_TWO_OVER_D},
    {{POSEMB_DETR, "detr", "1", "[s0 c0 s1 c1 ...]", "base^(-2i/D)", "is refused",
      "DETR's PositionEmbeddingSine, of one axis; base is its temperature"},
     POSEMB_INTERLEAVED,
     POSEMB_SINE_FIRST,
     POSEMB_DENOMINATOR_REAL,
     0.0,
     POSEMB_ODD_REFUSED,
     ONE},
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

/* A square root is correctly rounded on every host. */
static float amplitude_of(enum amplitude amplitude, uint32_t dim)
{
    switch (amplitude) {
    case ROOT_OF_ONE_OVER_D:
        return (float)sqrt(1.0 / dim);
    case ROOT_OF_TWO_OVER_D:
        return (float)sqrt(2.0 / dim);
    default:
        return 1.0f;
    }
}

void posemb__convention_fill(posemb_desc *desc)
{
    const struct convention_row *row = row_of(desc->convention);

    if (desc->layout == POSEMB_LAYOUT_DEFAULT)
        desc->layout = row->layout;
    if (desc->first == POSEMB_FIRST_DEFAULT)
        desc->first = row->first;
    if (desc->odd == POSEMB_ODD_DEFAULT)
        desc->odd = row->odd;
    if (desc->amplitude == 0.0f)
        desc->amplitude = amplitude_of(row->amplitude, desc->dim);
    if (desc->frequencies)
        return; /* no progression to describe */
    if (desc->denominator == POSEMB_DENOMINATOR_DEFAULT) {
        desc->denominator = row->denominator;
        desc->shift = row->shift;
    }
}

static void add_lone(struct posemb__segment *segment, posemb_odd odd, bool interleaved,
                     bool cosine_first)
{
    const uint32_t half = segment->full_pairs;

    segment->lone_channel = segment->dim - 1;
    switch (odd) {
    case POSEMB_ODD_ZERO:
        segment->lone = POSEMB__LONE_ZERO;
        break;
    case POSEMB_ODD_SECOND:
        segment->lone = cosine_first ? POSEMB__LONE_SINE : POSEMB__LONE_COSINE;
        segment->pairs = half > 0 ? half : 1;
        break;
    default:
        segment->lone = cosine_first ? POSEMB__LONE_COSINE : POSEMB__LONE_SINE;
        segment->lone_pair = half;
        segment->pairs = half + 1;
        if (!interleaved) {
            segment->lone_channel = half;
            segment->second_offset = half + 1;
        }
        break;
    }
}

struct posemb__channels posemb__channels_of(const posemb_desc *resolved)
{
    const posemb_grid *grid = &resolved->grid;
    struct posemb__channels channels = {
        .interleaved = resolved->layout == POSEMB_INTERLEAVED,
        .cosine_first = resolved->first == POSEMB_COSINE_FIRST,
        .segments = grid->axes ? grid->axes : 1,
    };
    uint32_t channel = 0;

    if (resolved->position_kind != POSEMB_SINUSOIDAL)
        channels.segments = 0;
    for (uint32_t k = 0; k < channels.segments; k++) {
        struct posemb__segment *segment = &channels.segment[k];

        segment->axis = grid->axes ? grid->segment_axis[k] - 1 : 0;
        segment->channel = channel;
        segment->dim = grid->axes ? grid->dim[k] : resolved->dim;
        segment->first_step = channels.pairs;
        segment->full_pairs = segment->pairs = segment->second_offset = segment->dim / 2;
        if (segment->dim % 2 != 0)
            add_lone(segment, resolved->odd, channels.interleaved, channels.cosine_first);
        channel += segment->dim;
        channels.pairs += segment->pairs;
    }
    return channels;
}

uint32_t posemb__twice_denominator(const posemb_desc *resolved,
                                   const struct posemb__segment *segment)
{
    return resolved->denominator == POSEMB_DENOMINATOR_REAL ? segment->dim : segment->dim / 2 * 2;
}
