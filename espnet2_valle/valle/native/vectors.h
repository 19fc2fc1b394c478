// Vectors of float32, loaded from each type that weights and caches have: float32, bfloat16 (as uint16), int8.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__) && defined(__AVX512BW__)
using Vec = __m512;
using Ints = __m512i;
static inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
static inline Vec load(const uint16_t* p) {
    const Ints wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
static inline Vec load(const int8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)p)));
}
static inline Ints load_shorts(const void* p) { return _mm512_loadu_si512(p); }
static inline Ints load_shorts(const int8_t* p) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i*)p));
}
static inline Ints add_pairs(Ints sum, Ints a, Ints b) {  // sum + a[2i] b[2i] + a[2i+1] b[2i+1]
#ifdef __AVX512VNNI__
    return _mm512_dpwssd_epi32(sum, a, b);
#else
    return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
#endif
}
static inline Vec to_float(Ints v) { return _mm512_cvtepi32_ps(v); }
static inline void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
static inline Vec spread(float x) { return _mm512_set1_ps(x); }
static inline float sum(Vec v) { return _mm512_reduce_add_ps(v); }
#elif defined(__AVX2__) && defined(__FMA__)
using Vec = __m256;
using Ints = __m256i;
static inline Vec load(const float* p) { return _mm256_loadu_ps(p); }
static inline Vec load(const uint16_t* p) {
    const Ints wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
static inline Vec load(const int8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p)));
}
static inline Ints load_shorts(const void* p) { return _mm256_loadu_si256((const __m256i*)p); }
static inline Ints load_shorts(const int8_t* p) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)p));
}
static inline Ints add_pairs(Ints sum, Ints a, Ints b) {  // sum + a[2i] b[2i] + a[2i+1] b[2i+1]
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}
static inline Vec to_float(Ints v) { return _mm256_cvtepi32_ps(v); }
static inline void store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
static inline Vec spread(float x) { return _mm256_set1_ps(x); }
static inline float sum(Vec v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}
#else
#error "no vector instructions that this is written for: AVX2 with FMA, or AVX-512"
#endif

constexpr int LANES = sizeof(Vec) / sizeof(float);

static inline float value(float x) { return x; }
static inline float value(int8_t x) { return x; }
static inline float value(int16_t x) { return x; }
static inline float value(uint16_t x) {  // bfloat16 is the upper half of float32
    const uint32_t bits = (uint32_t)x << 16;
    float y;
    std::memcpy(&y, &bits, sizeof y);
    return y;
}

static inline uint16_t to_bfloat16(float x) {  // the nearest, ties to even
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
