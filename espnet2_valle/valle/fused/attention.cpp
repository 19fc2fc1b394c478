// Attention of a training step on the processor's matrix unit (Intel AMX), forward and backward, in bfloat16.
//
// A head's weights are never kept: forward leaves the logarithm of each query's sum of powers, with which backward makes
// them again (FlashAttention-2, Dao 2023). Backward works on weights turned round, keys down and queries across: so
// they are the left side of the products for values and keys as they lie, and one side of it is written paired for the
// product for queries. `kernels.py` describes the functions to Python.

#include "numbers.h"

#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__AVX512BF16__) && defined(__AVX512F__) && defined(__linux__)
#include <immintrin.h>

#include <vector>

#include "../matrix_unit_permission.h"

namespace {

using Half = uint16_t;

constexpr int64_t WIDE = 64;               // numbers of a head
constexpr int64_t TILE = 16;               // rows of a register, and float32 in each
constexpr int64_t DEEP = 32;               // bfloat16 in each: what one instruction multiplies over
constexpr int64_t CELL = TILE * DEEP;      // bfloat16 in a register
constexpr int64_t BLOCK = 32;              // queries or keys of a step
constexpr int64_t KEYS = 128;              // of a pass of backward
constexpr float NOWHERE = 1e30f;           // sum of powers of a query that is not there
constexpr float PER_LOG = 1.44269504f;     // powers are of 2, sums of powers are kept as their logarithm to base 2

// While it lives, the thread's registers are 16 rows of 64 bytes; afterwards they are as others had left them.
struct Registers {
    struct alignas(64) Shapes {
        uint8_t palette = 1, start = 0, unused[14] = {};
        uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
        uint8_t rows[16] = {TILE, TILE, TILE, TILE, TILE, TILE, TILE, TILE};
    } before;
    Registers() {
        _tile_storeconfig(&before);
        const Shapes ours;
        _tile_loadconfig(&ours);
    }
    ~Registers() {
        if (before.palette)
            _tile_loadconfig(&before);
        else
            _tile_release();
    }
};

// Registers' worth of a matrix: where the first is, the way to the next beside it and to the next step, and of rows.
struct Side {
    const Half* at;
    int64_t beside, step, row;
};

// 32 x 32 sums, or more on top of what is there, over `steps` of 32 numbers.
template <bool MORE>
inline void multiply(Side left, Side right, int64_t steps, float* sums, int64_t row) {
    float* const below = sums + TILE * row;
    if (MORE) {
        _tile_loadd(0, sums, 4 * row);
        _tile_loadd(1, sums + TILE, 4 * row);
        _tile_loadd(2, below, 4 * row);
        _tile_loadd(3, below + TILE, 4 * row);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int64_t i = 0; i < steps; ++i, left.at += left.step, right.at += right.step) {
        _tile_loadd(4, left.at, 2 * left.row);
        _tile_loadd(6, right.at, 2 * right.row);
        _tile_loadd(7, right.at + right.beside, 2 * right.row);
        _tile_loadd(5, left.at + left.beside, 2 * left.row);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, sums, 4 * row);
    _tile_stored(1, sums + TILE, 4 * row);
    _tile_stored(2, below, 4 * row);
    _tile_stored(3, below + TILE, 4 * row);
}

// 2^x for x <= 0 to a relative 1e-4, a twentieth of bfloat16's steps; next to nothing below -126.
inline __m512 power(__m512 x) {
    const __m512 rounder = _mm512_set1_ps(12582912.0f);  // adding it leaves a whole number in the lowest bits
    x = _mm512_max_ps(x, _mm512_set1_ps(-126.0f));
    const __m512 shifted = _mm512_add_ps(x, rounder);
    const __m512 r = _mm512_sub_ps(x, _mm512_sub_ps(shifted, rounder));
    __m512 p = _mm512_set1_ps(0.05508868f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.24260405f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.69327624f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.99992894f));
    const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), exponent));
}

inline __m256i halves(__m512 x) { return (__m256i)_mm512_cvtneps_pbh(x); }

// The first `count` of a register's numbers: all of them, if there are fewer.
inline __mmask16 first(int64_t count) { return __mmask16((1u << std::clamp<int64_t>(count, 0, TILE)) - 1); }

inline int64_t blocks(int64_t count) { return (count + BLOCK - 1) / BLOCK; }

// Rows `from` .. of (time, WIDE) as BLOCK lines, zero behind the end.
void take(const Half* x, int64_t stride, int64_t from, int64_t time, Half* to) {
    const int64_t there = std::min(BLOCK, time - from);
    for (int64_t i = 0; i < there; ++i) std::memcpy(to + i * WIDE, x + (from + i) * stride, WIDE * sizeof *to);
    std::fill(to + there * WIDE, to + BLOCK * WIDE, Half(0));
}

// For products over WIDE: pairs of a row's numbers down, rows across. Cells of 16 rows and 32 numbers, two of them a row.
void turn(const Half* x, int64_t stride, int64_t time, Half* to) {
    uint32_t lines[BLOCK][WIDE / 2];
    for (int64_t from = 0; from < time; from += BLOCK, to += BLOCK * WIDE) {
        take(x, stride, from, time, (Half*)lines);
        for (int64_t cell = 0; cell < 4; ++cell) {
            uint32_t pairs[TILE][TILE];
            for (int64_t i = 0; i < TILE; ++i)
                for (int64_t j = 0; j < TILE; ++j) pairs[i][j] = lines[cell / 2 * TILE + j][cell % 2 * TILE + i];
            std::memcpy(to + cell * CELL, pairs, sizeof pairs);
        }
    }
}
constexpr Side turned(const Half* x, int64_t block) { return {x + block * BLOCK * WIDE, 2 * CELL, CELL, DEEP}; }

// For products over rows: pairs of rows down, numbers across. Cells of 32 rows and 16 numbers, four of them a block.
void pair(const Half* x, int64_t stride, int64_t time, Half* to) {
    Half lines[BLOCK][WIDE];
    for (int64_t from = 0; from < time; from += BLOCK, to += BLOCK * WIDE) {
        take(x, stride, from, time, lines[0]);
        for (int64_t cell = 0; cell < 4; ++cell)
            for (int64_t i = 0; i < TILE; ++i) {
                uint32_t pairs[TILE];
                for (int64_t j = 0; j < TILE; ++j)
                    pairs[j] = lines[2 * i][cell * TILE + j] | uint32_t(lines[2 * i + 1][cell * TILE + j]) << 16;
                std::memcpy(to + cell * CELL + i * DEEP, pairs, sizeof pairs);
            }
    }
}
constexpr Side paired(const Half* x, int64_t block, int64_t half) {
    return {x + block * BLOCK * WIDE + half * 2 * CELL, CELL, BLOCK * WIDE, DEEP};
}

// (time, WIDE) -> (WIDE, room)
void transpose(const Half* x, int64_t stride, int64_t time, int64_t room, Half* to) {
    Half lines[BLOCK][WIDE];
    for (int64_t from = 0; from < time; from += BLOCK) {
        take(x, stride, from, time, lines[0]);
        for (int64_t j = 0; j < WIDE; ++j)
            for (int64_t i = 0; i < BLOCK; ++i) to[j * room + from + i] = lines[i][j];
    }
}

struct Shape {
    int64_t time, heads, seen;  // positions, and how many of them are no padding
    bool causal;
    float scale;
    int64_t stride() const { return 3 * heads * WIDE; }  // between positions of queries, keys and values
    int64_t apart() const { return heads * WIDE; }       // between queries, keys and values of a position, and outputs
    int64_t room() const { return blocks(time) * BLOCK; }
};

struct Forward {
    std::vector<Half> keys, values, powers;
    std::vector<float> scores;
    explicit Forward(int64_t room)
        : keys(room * WIDE), values(room * WIDE), powers(BLOCK * room), scores(BLOCK * room) {}

    // Queries, keys and values of a head to outputs and the logarithms of sums.
    void operator()(const Shape& shape, const Half* query, Half* out, float* sums) {
        const Half *key = query + shape.apart(), *value = key + shape.apart();
        turn(key, shape.stride(), shape.seen, keys.data());
        pair(value, shape.stride(), shape.seen, values.data());
        for (int64_t from = 0; from < shape.time; from += BLOCK) {
            const int64_t there = std::min(BLOCK, shape.time - from);
            const int64_t seen = shape.causal ? std::min(shape.seen, from + there) : shape.seen;
            const int64_t wide = blocks(seen) * BLOCK;
            Half queries[BLOCK * WIDE];
            take(query, shape.stride(), from, shape.time, queries);
            for (int64_t at = 0; at < wide; at += BLOCK)
                multiply<false>({queries, TILE * WIDE, DEEP, WIDE}, turned(keys.data(), at / BLOCK), WIDE / DEEP,
                                scores.data() + at, wide);
            float shares[BLOCK] = {};
            for (int64_t i = 0; i < BLOCK; ++i) {
                const int64_t visible = std::min(shape.causal ? std::min(seen, from + i + 1) : seen, wide);
                shares[i] = weigh(scores.data() + i * wide, powers.data() + i * wide, visible, wide, shape.scale * PER_LOG,
                                  i < there ? sums + from + i : nullptr);
            }
            float sum[BLOCK * WIDE];
            for (int64_t half = 0; half < 2; ++half)
                multiply<false>({powers.data(), TILE * wide, DEEP, wide}, paired(values.data(), 0, half), wide / BLOCK,
                                sum + half * BLOCK, WIDE);
            for (int64_t i = 0; i < there; ++i)
                for (int64_t j = 0; j < WIDE; ++j)
                    out[(from + i) * shape.apart() + j] = narrow<Half>(sum[i * WIDE + j] * shares[i]);
        }
    }

    // Powers of scores, 0 behind those that are visible; returns what makes them weights.
    static float weigh(const float* score, Half* to, int64_t visible, int64_t wide, float scale, float* sum) {
        const __m512 lowest = _mm512_set1_ps(-NOWHERE);
        __m512 highest = lowest, total = _mm512_setzero_ps();
        for (int64_t i = 0; i < visible; i += TILE)
            highest = _mm512_max_ps(highest, _mm512_mask_loadu_ps(lowest, first(visible - i), score + i));
        const float most = _mm512_reduce_max_ps(highest) * scale;
        for (int64_t i = 0; i < wide; i += TILE) {
            const __m512 x = _mm512_fmsub_ps(_mm512_loadu_ps(score + i), _mm512_set1_ps(scale), _mm512_set1_ps(most));
            const __m512 value = _mm512_maskz_mov_ps(first(visible - i), power(x));
            total = _mm512_add_ps(total, value);
            _mm256_storeu_si256((__m256i*)(to + i), halves(value));
        }
        const float all = _mm512_reduce_add_ps(total);
        if (sum) *sum = most + std::log2(all);
        return 1 / all;
    }
};

struct Backward {
    std::vector<Half> queries, gradients;                          // turned
    std::vector<Half> paired_queries, paired_gradients;            // paired
    std::vector<Half> keys;                                        // transposed
    std::vector<Half> weights, for_scores, paired_for_scores;      // (KEYS, queries) of a pass
    std::vector<float> for_query;                                  // (WIDE, room)
    std::vector<float> sums, products;                             // of each query
    explicit Backward(int64_t room)
        : queries(room * WIDE),
          gradients(room * WIDE),
          paired_queries(room * WIDE),
          paired_gradients(room * WIDE),
          keys(room * WIDE),
          weights(KEYS * room),
          for_scores(KEYS * room),
          paired_for_scores(KEYS * room),
          for_query(room * WIDE),
          sums(room),
          products(room) {}

    // Gradient of a head's outputs to those of its queries, keys and values, which lie as these do.
    void operator()(const Shape& shape, const Half* query, const Half* out, const float* sum, const Half* gradient,
                    Half* to) {
        const Half *key = query + shape.apart(), *value = key + shape.apart();
        const int64_t room = shape.room();
        turn(query, shape.stride(), shape.time, queries.data());
        pair(query, shape.stride(), shape.time, paired_queries.data());
        turn(gradient, shape.apart(), shape.time, gradients.data());
        pair(gradient, shape.apart(), shape.time, paired_gradients.data());
        transpose(key, shape.stride(), shape.time, room, keys.data());
        for (int64_t i = 0; i < shape.time; ++i) {
            float product = 0;
            for (int64_t j = 0; j < WIDE; ++j)
                product += widen(out[i * shape.apart() + j]) * widen(gradient[i * shape.apart() + j]);
            products[i] = product;
            sums[i] = sum[i];
        }
        std::fill(sums.begin() + shape.time, sums.end(), NOWHERE);
        std::fill(products.begin() + shape.time, products.end(), 0.0f);
        std::fill(for_query.begin(), for_query.end(), 0.0f);
        for (int64_t from = 0; from < shape.seen; from += KEYS) pass(shape, key, value, from, to + shape.apart());
        for (int64_t part = shape.seen; part < shape.time; ++part)  // padding is seen by none
            for (int64_t which = 1; which < 3; ++which)
                std::fill_n(to + part * shape.stride() + which * shape.apart(), WIDE, Half(0));
        const __m512 scale = _mm512_set1_ps(shape.scale);
        for (int64_t from = 0; from < shape.time; from += TILE) {
            Half lines[WIDE][TILE];
            for (int64_t j = 0; j < WIDE; ++j) {
                const __m512 line = _mm512_loadu_ps(for_query.data() + j * room + from);
                _mm256_storeu_si256((__m256i*)lines[j], halves(_mm512_mul_ps(line, scale)));
            }
            for (int64_t i = 0; i < std::min(TILE, shape.time - from); ++i)
                for (int64_t j = 0; j < WIDE; ++j) to[(from + i) * shape.stride() + j] = lines[j][i];
        }
    }

    // What KEYS keys from `from` on contribute: their own gradients, and a share of the queries'.
    void pass(const Shape& shape, const Half* key, const Half* value, int64_t from, Half* for_key) {
        const int64_t room = shape.room(), all = room / BLOCK, parts = blocks(std::min(KEYS, shape.seen - from));
        for (int64_t part = 0; part < parts; ++part) {
            const int64_t at = from + part * BLOCK, first = shape.causal ? at / BLOCK : 0;
            Half own_keys[BLOCK * WIDE], own_values[BLOCK * WIDE];
            take(key, shape.stride(), at, shape.time, own_keys);
            take(value, shape.stride(), at, shape.time, own_values);
            for (int64_t block = first; block < all; ++block) {
                float scores[BLOCK * BLOCK], for_weights[BLOCK * BLOCK];
                multiply<false>({own_keys, TILE * WIDE, DEEP, WIDE}, turned(queries.data(), block), WIDE / DEEP, scores,
                                BLOCK);
                multiply<false>({own_values, TILE * WIDE, DEEP, WIDE}, turned(gradients.data(), block), WIDE / DEEP,
                                for_weights, BLOCK);
                if (at + BLOCK > shape.seen || (shape.causal && block == first))
                    for (int64_t i = 0; i < BLOCK; ++i)
                        for (int64_t j = 0; j < BLOCK; ++j)
                            if (at + i >= shape.seen || (shape.causal && block * BLOCK + j < at + i))
                                scores[i * BLOCK + j] = -NOWHERE;
                turn_back(shape.scale * PER_LOG, scores, for_weights, block, part, room);
            }
            const int64_t steps = all - first, place = part * BLOCK * room + first * BLOCK;
            for (int64_t which = 0; which < 2; ++which) {
                const Side left = {(which ? weights : for_scores).data() + place, TILE * room, DEEP, room};
                const Half* right = (which ? paired_gradients : paired_queries).data();
                float sum[BLOCK * WIDE];
                for (int64_t half = 0; half < 2; ++half)
                    multiply<false>(left, paired(right, first, half), steps, sum + half * BLOCK, WIDE);
                const float scale = which ? 1.0f : shape.scale;
                for (int64_t i = 0; i < std::min(BLOCK, shape.seen - at); ++i)
                    for (int64_t j = 0; j < WIDE; ++j)
                        for_key[(at + i) * shape.stride() + which * shape.apart() + j] =
                            narrow<Half>(sum[i * WIDE + j] * scale);
            }
        }
        for (int64_t block = shape.causal ? from / BLOCK : 0; block < all; ++block) {
            const int64_t steps = shape.causal ? std::min(parts, block - from / BLOCK + 1) : parts;
            for (int64_t half = 0; half < 2; ++half)
                multiply<true>({keys.data() + half * BLOCK * room + from, TILE * room, DEEP, room},
                               {paired_for_scores.data() + block * BLOCK * KEYS, CELL, 2 * CELL, DEEP}, steps,
                               for_query.data() + half * BLOCK * room + block * BLOCK, room);
        }
    }

    // Scores and gradients of weights, keys down and queries across, to weights and gradients of scores.
    void turn_back(float scale, const float* scores, const float* for_weights, int64_t block, int64_t part,
                   int64_t room) {
        const float *sum = sums.data() + block * BLOCK, *product = products.data() + block * BLOCK;
        const int64_t place = part * BLOCK * room + block * BLOCK;
        Half* const pairs = paired_for_scores.data() + block * BLOCK * KEYS + part * 2 * CELL;
        for (int64_t i = 0; i < BLOCK; i += 2)
            for (int64_t j = 0; j < BLOCK; j += TILE) {
                __m512i of_line[2];
                for (int64_t line = 0; line < 2; ++line) {
                    const int64_t from = (i + line) * BLOCK + j, to = place + (i + line) * room + j;
                    const __m512 share = power(_mm512_fmsub_ps(_mm512_loadu_ps(scores + from), _mm512_set1_ps(scale),
                                                               _mm512_loadu_ps(sum + j)));
                    const __m512 gradient =
                        _mm512_sub_ps(_mm512_loadu_ps(for_weights + from), _mm512_loadu_ps(product + j));
                    const __m256i for_score = halves(_mm512_mul_ps(share, gradient));
                    _mm256_storeu_si256((__m256i*)(weights.data() + to), halves(share));
                    _mm256_storeu_si256((__m256i*)(for_scores.data() + to), for_score);
                    of_line[line] = _mm512_cvtepu16_epi32(for_score);
                }
                _mm512_storeu_si512(pairs + j / TILE * CELL + i / 2 * DEEP,
                                    _mm512_or_si512(of_line[0], _mm512_slli_epi32(of_line[1], 16)));
            }
    }
};

// Calls `of_head` with a `Work` of each thread for every row's heads.
template <typename Work, typename Of>
void for_heads(const int64_t* lengths, int64_t batch, int64_t time, int64_t heads, bool causal, Of of_head) {
    const int64_t room = blocks(time) * BLOCK;
#pragma omp parallel
    {
        const Registers registers;
        Work work(room);
#pragma omp for schedule(dynamic) collapse(2)
        for (int64_t row = 0; row < batch; ++row)
            for (int64_t head = 0; head < heads; ++head)
                of_head(work, Shape{time, heads, lengths[row], causal, 1 / std::sqrt(float(WIDE))}, row, head);
    }
}

}  // namespace

extern "C" {

bool attention_is_there() { return may_use_matrix_unit(); }

void attend(const uint16_t* qkv, const int64_t* lengths, uint16_t* out, float* sums, int64_t batch, int64_t time,
            int64_t heads, bool causal) {
    for_heads<Forward>(lengths, batch, time, heads, causal,
                       [=](Forward& work, const Shape& shape, int64_t row, int64_t head) {
                           work(shape, qkv + row * time * shape.stride() + head * WIDE,
                                out + row * time * shape.apart() + head * WIDE, sums + (row * heads + head) * time);
                       });
}

void attend_back(const uint16_t* qkv, const int64_t* lengths, const uint16_t* out, const float* sums,
                 const uint16_t* gradient, uint16_t* to, int64_t batch, int64_t time, int64_t heads, bool causal) {
    for_heads<Backward>(lengths, batch, time, heads, causal,
                        [=](Backward& work, const Shape& shape, int64_t row, int64_t head) {
                            const int64_t in = row * time * shape.stride() + head * WIDE;
                            const int64_t at = row * time * shape.apart() + head * WIDE;
                            work(shape, qkv + in, out + at, sums + (row * heads + head) * time, gradient + at, to + in);
                        });
}
}
#else
extern "C" {
bool attention_is_there() { return false; }
}
#endif
