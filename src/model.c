/* The models: one row of one table each, a description and what depends on D. */
#include "status.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum scale { SCALE_ONE, SCALE_ROOT_OF_D };

struct model_row {
    posemb_model_info info;
    posemb_desc desc; /* dim and token_scale come from the call */
    int64_t start;
    enum scale scale;
    uint32_t multiple; /* D must be one of this; 0: any D */
};

/* Counting rules give a pad the position `start`, and the first token after it start + 1: the
 * padding_idx of fairseq and its kin, and padding_idx + 1. */
static const struct model_row rows[] = {
    {.info = {"transformer", "", 0, "vaswani; index from 0; rows times sqrt(D)",
              "Vaswani et al. 2017, sections 3.4 and 3.5; the Annotated Transformer (even D)"},
     .desc = {.convention = POSEMB_VASWANI, .positions = POSEMB_POSITIONS_INDEX},
     .scale = SCALE_ROOT_OF_D},
    {.info = {"tensor2tensor", "", 0,
              "t2t; index from 0; rows times sqrt(D). Its row of the pad id 0 is zeros: let the "
              "table have them",
              "tensor2tensor get_timing_signal_1d, and its sqrt_depth multiply of symbols"},
     .desc = {.convention = POSEMB_T2T, .positions = POSEMB_POSITIONS_INDEX},
     .scale = SCALE_ROOT_OF_D},
    {.info = {"fairseq", "", 0,
              "t2t; tokens that are not pads (id 1) count from 2, pads have no position; rows "
              "times sqrt(D)",
              "fairseq SinusoidalPositionalEmbedding and make_positions; the scale is that of its "
              "transformers without no_scale_embedding"},
     .desc = {.convention = POSEMB_T2T,
              .positions = POSEMB_POSITIONS_COUNT,
              .padding = POSEMB_PADDING_TOKEN,
              .pad_id = 1,
              .pad_policy = POSEMB_PAD_ZERO_POSITION},
     .start = 1,
     .scale = SCALE_ROOT_OF_D},
    {.info = {"m2m100", "nllb", 0,
              "t2t; tokens that are not pads (id 1) count from 2, pads have no position; rows "
              "times sqrt(D)",
              "Hugging Face M2M100SinusoidalPositionalEmbedding and M2M100ScaledWordEmbedding; "
              "scale_embedding is on by default"},
     .desc = {.convention = POSEMB_T2T,
              .positions = POSEMB_POSITIONS_COUNT,
              .padding = POSEMB_PADDING_TOKEN,
              .pad_id = 1,
              .pad_policy = POSEMB_PAD_ZERO_POSITION},
     .start = 1,
     .scale = SCALE_ROOT_OF_D},
    {.info =
         {"xglm", "", 0, "t2t; index from 2, pads as any token; rows times sqrt(D)",
          "Hugging Face XGLMSinusoidalPositionalEmbedding without position ids of the caller's; "
          "scale_embedding is on by default"},
     .desc = {.convention = POSEMB_T2T, .positions = POSEMB_POSITIONS_INDEX},
     .start = 2,
     .scale = SCALE_ROOT_OF_D},
    {.info = {"speech2text", "", 0,
              "t2t; frames that the mask keeps count from 2, the others have no position; ADD, "
              "rows times sqrt(D)",
              "the encoder of Hugging Face Speech2Text, whose rows come from convolutions; its "
              "decoder is as m2m100; scale_embedding is on by default"},
     .desc = {.operation = POSEMB_ADD,
              .convention = POSEMB_T2T,
              .positions = POSEMB_POSITIONS_COUNT,
              .padding = POSEMB_PADDING_MASK,
              .pad_policy = POSEMB_PAD_ZERO_POSITION},
     .start = 1,
     .scale = SCALE_ROOT_OF_D},
    {.info =
         {"fsmt", "", 0,
          "t2t; tokens that are not pads (id 1) count from 2, pads have no position; rows "
          "times sqrt(D)",
          "Hugging Face FSMT's SinusoidalPositionalEmbedding; scale_embedding is on by default"},
     .desc = {.convention = POSEMB_T2T,
              .positions = POSEMB_POSITIONS_COUNT,
              .padding = POSEMB_PADDING_TOKEN,
              .pad_id = 1,
              .pad_policy = POSEMB_PAD_ZERO_POSITION},
     .start = 1,
     .scale = SCALE_ROOT_OF_D},
    {.info = {"musicgen", "", 0,
              "t2t with the cosines first; index from 0, pads as any token; ADD to the sum of the "
              "codebooks' rows",
              "Hugging Face MusicgenSinusoidalPositionalEmbedding, which puts the cosines first in "
              "spite of its comment; scale_embedding is off by default"},
     .desc = {.operation = POSEMB_ADD,
              .convention = POSEMB_T2T,
              .first = POSEMB_COSINE_FIRST,
              .positions = POSEMB_POSITIONS_INDEX}},
    {.info = {"whisper-encoder", "whisper", 0, "t2t; index from 0; ADD; even D",
              "sinusoids() of OpenAI's Whisper, added to the rows of its convolutions"},
     .desc = {.operation = POSEMB_ADD,
              .convention = POSEMB_T2T,
              .positions = POSEMB_POSITIONS_INDEX},
     .multiple = 2},
    {.info = {"marian", "marian-hf", 0,
              "marian-hf; index from 0, pads as any token; rows times sqrt(D)",
              "Hugging Face MarianSinusoidalPositionalEmbedding; scale_embedding is on in the "
              "converted checkpoints, off in a bare MarianConfig"},
     .desc = {.convention = POSEMB_MARIAN_HF, .positions = POSEMB_POSITIONS_INDEX},
     .scale = SCALE_ROOT_OF_D},
    {.info = {"marian-cpp", "", 0,
              "marian-cpp; index from 0, pads as any token; rows times sqrt(D)",
              "Marian's addPositionalEmbeddings without trained positions"},
     .desc = {.convention = POSEMB_MARIAN_CPP, .positions = POSEMB_POSITIONS_INDEX},
     .scale = SCALE_ROOT_OF_D},
    {.info = {"opennmt-py", "", 0,
              "vaswani; index from 0, pads as any token; rows times sqrt(D); even D",
              "OpenNMT-py PositionalEncoding, SinusoidalInterleaved"},
     .desc = {.convention = POSEMB_VASWANI, .positions = POSEMB_POSITIONS_INDEX},
     .scale = SCALE_ROOT_OF_D,
     .multiple = 2},
    {.info = {"opennmt-py-concat", "", 0,
              "t2t; index from 0, pads as any token; rows times sqrt(D); even D",
              "OpenNMT-py PositionalEncoding, SinusoidalConcat"},
     .desc = {.convention = POSEMB_T2T, .positions = POSEMB_POSITIONS_INDEX},
     .scale = SCALE_ROOT_OF_D,
     .multiple = 2},
    {.info = {"opennmt-tf", "", 0,
              "t2t; index from 1, pads as any token; rows times sqrt(D); even D",
              "OpenNMT-tf SinusoidalPositionEncoder; the scale is that of its self-attention "
              "encoder and decoder"},
     .desc = {.convention = POSEMB_T2T, .positions = POSEMB_POSITIONS_INDEX},
     .start = 1,
     .scale = SCALE_ROOT_OF_D,
     .multiple = 2},
    {.info = {"ctranslate2", "", 0,
              "t2t; index from 1, pads as any token; rows times sqrt(D); even D",
              "CTranslate2 generate_sinusoidal_position_encoding, for models that store no "
              "encodings, with scale_embeddings on"},
     .desc = {.convention = POSEMB_T2T, .positions = POSEMB_POSITIONS_INDEX},
     .start = 1,
     .scale = SCALE_ROOT_OF_D,
     .multiple = 2},
    {.info = {"lightseq", "", 0,
              "t2t; position: how many tokens before are not pads (id 1); rows of pads are zeros; "
              "rows times sqrt(D)",
              "LightSeq's training kernels get_tokens_position and lookup_scale_pos_dropout; they "
              "are told the pad id, 1 is that of fairseq's dictionaries"},
     .desc = {.convention = POSEMB_T2T,
              .positions = POSEMB_POSITIONS_COUNT_BEFORE,
              .padding = POSEMB_PADDING_TOKEN,
              .pad_id = 1,
              .pad_policy = POSEMB_PAD_ZERO_ROW},
     .scale = SCALE_ROOT_OF_D},
    {.info = {"espnet", "", 0,
              "vaswani; index from 0, pads as any token; rows times sqrt(D); even D",
              "ESPnet PositionalEncoding and StreamPositionalEncoding, whose table an odd D does "
              "not fit; the scaled one has no sqrt(D), and a learned amplitude"},
     .desc = {.convention = POSEMB_VASWANI, .positions = POSEMB_POSITIONS_INDEX},
     .scale = SCALE_ROOT_OF_D,
     .multiple = 2},
    {.info = {"keras-hub", "", 0, "vaswani; index from 0, pads as any token",
              "KerasHub SinePositionEncoding, added as in its example; base is its max_wavelength"},
     .desc = {.convention = POSEMB_VASWANI, .positions = POSEMB_POSITIONS_INDEX}},
    {.info = {"distilbert", "xlm", 0, "vaswani; index from 0, pads as any token",
              "create_sinusoidal_embeddings of Hugging Face DistilBERT (with sinusoidal_pos_embds) "
              "and XLM, which zeroes its pads after a LayerNorm"},
     .desc = {.convention = POSEMB_VASWANI, .positions = POSEMB_POSITIONS_INDEX}},
    {.info = {"ctrl", "", 0, "marian-hf; index from 0, pads as any token; rows times sqrt(D)",
              "Hugging Face CTRL's positional_encoding; its type rows, sqrt(D) times those of the "
              "token table, are the caller's to add"},
     .desc = {.convention = POSEMB_MARIAN_HF, .positions = POSEMB_POSITIONS_INDEX},
     .scale = SCALE_ROOT_OF_D},
    {.info = {"transformer-xl", "", 0,
              "marian-hf; TABLE of one row of float positions that falls towards 0 (relative); "
              "even D",
              "Transformer-XL PositionalEmbedding, which feeds the attention and not the tokens"},
     .desc = {.operation = POSEMB_TABLE,
              .convention = POSEMB_MARIAN_HF,
              .positions = POSEMB_POSITIONS_EXPLICIT_SHARED,
              .position_type = POSEMB_FLOAT32},
     .multiple = 2},
    {.info = {"roformer", "", 0, "marian-hf; TABLE, D is that of a head; index from 0; even D",
              "Hugging Face RoFormerSinusoidalPositionalEmbedding, which feeds a rotation that "
              "cuts D in two"},
     .desc = {.operation = POSEMB_TABLE,
              .convention = POSEMB_MARIAN_HF,
              .positions = POSEMB_POSITIONS_INDEX},
     .multiple = 2},
    {.info = {"stable-diffusion", "", 0, "dit; TABLE of float timesteps",
              "diffusers get_timestep_embedding with flip_sin_to_cos and downscale_freq_shift 0"},
     .desc = {.operation = POSEMB_TABLE,
              .convention = POSEMB_DIT,
              .positions = POSEMB_POSITIONS_EXPLICIT,
              .position_type = POSEMB_FLOAT32}},
    {.info = {"ddpm", "", 0, "ddpm; TABLE of float timesteps",
              "get_timestep_embedding of the DDPM code and, by default, of diffusers"},
     .desc = {.operation = POSEMB_TABLE,
              .convention = POSEMB_DDPM,
              .positions = POSEMB_POSITIONS_EXPLICIT,
              .position_type = POSEMB_FLOAT32}},
    {.info = {"dit", "", 0, "dit; TABLE of float timesteps",
              "DiT's TimestepEmbedder, GLIDE, the timestep_embedding of ggml"},
     .desc = {.operation = POSEMB_TABLE,
              .convention = POSEMB_DIT,
              .positions = POSEMB_POSITIONS_EXPLICIT,
              .position_type = POSEMB_FLOAT32}},
    {.info = {"mae", "", 0,
              "marian-hf per axis of a grid (y, x), x in the first half of a row; ADD; index from "
              "0; D a multiple of 4. Set grid.count[0] and [1]",
              "MAE get_2d_sincos_pos_embed: its meshgrid has w first, so that the half it names h "
              "encodes x; the class token, whose position is zeros, is the caller's"},
     .desc = {.operation = POSEMB_ADD,
              .convention = POSEMB_MARIAN_HF,
              .positions = POSEMB_POSITIONS_INDEX,
              .grid = {.axes = 2, .segment_axis = {2, 1}}},
     .multiple = 4},
    {.info = {"detr", "", 0,
              "detr per axis of a grid (y, x), y in the first half of a row; TABLE; index from 1; "
              "D a multiple of 4. Set grid.count[0] and [1]",
              "DETR PositionEmbeddingSine without normalize, of an image without padding; with it, "
              "position_scale 2 pi and grid.denominator = grid.count come within its 1e-6"},
     .desc = {.operation = POSEMB_TABLE,
              .convention = POSEMB_DETR,
              .positions = POSEMB_POSITIONS_INDEX,
              .grid = {.axes = 2, .segment_axis = {1, 2}}},
     .start = 1,
     .multiple = 4},
    {.info = {"x-transformers", "", 0,
              "xtransformers, amplitude D^(-1/2); index from 0, pads as any token; even D",
              "x-transformers ScaledSinusoidalEmbedding as initialised, its amplitude is learned; "
              "seq_start_pos is the ROW_START rule with the numbers negated"},
     .desc = {.convention = POSEMB_XTRANSFORMERS, .positions = POSEMB_POSITIONS_INDEX},
     .multiple = 2},
    {.info = {"mlx", "", 0, "mlx, amplitude sqrt(2/D); TABLE of float positions; even D",
              "MLX nn.SinusoidalPositionalEncoding with its default frequencies and scale"},
     .desc = {.operation = POSEMB_TABLE,
              .convention = POSEMB_MLX,
              .positions = POSEMB_POSITIONS_EXPLICIT,
              .position_type = POSEMB_FLOAT32},
     .multiple = 2},
    {.info = {"bert", "", 1, "index from 0, pads as any token", "BERT's position_embeddings"},
     .desc = {.positions = POSEMB_POSITIONS_INDEX}},
    {.info = {"gpt2", "", 1, "index from 0, pads as any token", "GPT-2's wpe"},
     .desc = {.positions = POSEMB_POSITIONS_INDEX}},
    {.info = {"roberta", "xlm-r camembert", 1,
              "tokens that are not pads (id 1) count from 2, pads have row 1",
              "Hugging Face RobertaEmbeddings; XLM-R and CamemBERT are copies of it"},
     .desc = {.positions = POSEMB_POSITIONS_COUNT,
              .padding = POSEMB_PADDING_TOKEN,
              .pad_id = 1,
              .pad_policy = POSEMB_PAD_COMPUTED},
     .start = 1},
    {.info = {"opt", "", 1, "tokens that the mask keeps count from 2, the others have row 1",
              "Hugging Face OPTLearnedPositionalEmbedding: cumsum(mask) * mask - 1 + 2"},
     .desc = {.positions = POSEMB_POSITIONS_COUNT,
              .padding = POSEMB_PADDING_MASK,
              .pad_policy = POSEMB_PAD_COMPUTED},
     .start = 1},
    {.info = {"esm", "", 1,
              "tokens that are not pads (id 1) count from 2; the rows of pads are zeros",
              "Hugging Face EsmEmbeddings with absolute positions, which multiplies by the mask; "
              "its rescaling of rows for mask tokens is the caller's"},
     .desc = {.positions = POSEMB_POSITIONS_COUNT,
              .padding = POSEMB_PADDING_TOKEN,
              .pad_id = 1,
              .pad_policy = POSEMB_PAD_ZERO_ROW},
     .start = 1},
    {.info =
         {"bart", "mvp", 1, "index from 2, pads as any token",
          "Hugging Face BartLearnedPositionalEmbedding, and its copy in MVP; scale_embedding is "
          "off by default"},
     .desc = {.positions = POSEMB_POSITIONS_INDEX},
     .start = 2},
    {.info = {"mbart", "plbart", 1, "index from 2, pads as any token; rows times sqrt(D)",
              "Hugging Face MBartLearnedPositionalEmbedding, and its copy in PLBart; "
              "scale_embedding is on in the published checkpoints, off in a bare MBartConfig"},
     .desc = {.positions = POSEMB_POSITIONS_INDEX},
     .start = 2,
     .scale = SCALE_ROOT_OF_D},
    {.info = {"whisper-decoder", "", 1, "index from 0, pads as any token",
              "the positional_embedding of OpenAI's Whisper TextDecoder"},
     .desc = {.positions = POSEMB_POSITIONS_INDEX}},
    {.info = {"vit", "", 1, "index from 0, which is the class token; ADD",
              "ViT's position_embeddings, added to the rows of patches"},
     .desc = {.operation = POSEMB_ADD, .positions = POSEMB_POSITIONS_INDEX}},
};

static const size_t row_count = sizeof rows / sizeof *rows;

size_t posemb_model_count(void)
{
    return row_count;
}

const posemb_model_info *posemb_model_at(size_t index)
{
    return index < row_count ? &rows[index].info : NULL;
}

/* Whether `word` is one of those that spaces separate in `words`. */
static bool has_word(const char *words, const char *word)
{
    const size_t length = strlen(word);

    while (*words) {
        const size_t span = strcspn(words, " ");

        if (span == length && memcmp(words, word, length) == 0)
            return true;
        words += span;
        words += strspn(words, " ");
    }
    return false;
}

static const struct model_row *row_of(const char *name)
{
    for (size_t i = 0; name && i < row_count; i++)
        if (strcmp(rows[i].info.name, name) == 0 || has_word(rows[i].info.aliases, name))
            return &rows[i];
    return NULL;
}

const posemb_model_info *posemb_model_find(const char *name)
{
    const struct model_row *row = row_of(name);

    return row ? &row->info : NULL;
}

static posemb_status check_dim(const struct model_row *row, uint32_t dim, posemb_error *error)
{
    if (dim == 0 || dim > POSEMB_DIM_MAX)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "dim is %" PRIu32 ", not 1 ... %u",
                            dim, POSEMB_DIM_MAX);
    if (row->multiple && dim % row->multiple != 0)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "dim is %" PRIu32 ", not a multiple of %" PRIu32 " as %s needs", dim,
                            row->multiple, row->info.name);
    return POSEMB_OK;
}

posemb_status posemb_model_preset(const char *name, uint32_t dim, posemb_desc *desc, int64_t *start,
                                  posemb_error *error)
{
    const struct model_row *row = row_of(name);
    posemb_status status;

    if (!name || !desc)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0, "%s is NULL",
                            name ? "desc" : "name");
    if (!row)
        return posemb__fail(error, POSEMB_INVALID_ARGUMENT, 0,
                            "name is \"%.64s\", which is not a model", name);
    status = check_dim(row, dim, error);
    if (status != POSEMB_OK)
        return status;
    *desc = row->desc;
    desc->dim = dim;
    if (row->scale == SCALE_ROOT_OF_D)
        desc->token_scale = (float)sqrt((double)dim);
    if (start)
        *start = row->start;
    return POSEMB_OK;
}
