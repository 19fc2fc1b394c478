// Numbers of a training step: bfloat16 as uint16, and the exponential as compilers can make vectors of it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("prefer-vector-width=512")  // by itself GCC takes half of that
#endif

inline float bits_to_float(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline uint32_t float_to_bits(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

inline float widen(float x) { return x; }
inline float widen(uint16_t x) { return bits_to_float(uint32_t(x) << 16); }

template <typename To>
inline To narrow(float x);
template <>
inline float narrow<float>(float x) {
    return x;
}
template <>
inline uint16_t narrow<uint16_t>(float x) {  // to the nearest, ties to even; there are no NaNs to keep apart
    const uint32_t bits = float_to_bits(x);
    return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// e^x for x <= 0 to a relative 2e-7, next to nothing below -87: 2^n times a polynomial (Cephes, expf).
inline float exponential(float x) {
    x = std::max(x, -87.0f);
    const float rounder = 12582912.0f;  // adding it rounds to a whole number
    const float n = (x * 1.44269504f + rounder) - rounder;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    return (p * r * r + r + 1.0f) * bits_to_float(uint32_t(int32_t(n) + 127) << 23);
}
