// Products by the processor's matrix unit (Intel AMX): 16 rows of weights times up to 16 columns in one instruction.
//
// Weights are taken as they lie, row-major. Inputs are laid out so that four bytes of a row of x, that is two bfloat16
// or four digits, stand beside those of the other rows. A row of x in 16-bit integers takes two columns, one for each
// of its digits to the base 256. Each column is summed apart, so that a row gives the same alone and in a batch.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernel.h"

template <typename W>
struct MatrixUnit {  // there is none for this type
    static constexpr bool EXISTS = false;
    static int group(int rows) { return rows; }
    static int64_t room(int, int64_t) { return 0; }
    static void enter(int) {}
    static void leave() {}
};

#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__AMX_INT8__) && defined(__linux__)
#include <immintrin.h>

#include "matrix_unit_permission.h"

static inline void lay_out(const uint16_t* x, uint32_t* y, int64_t in, int columns, int) {
    for (int64_t i = 0; i < in; i += 2) std::memcpy(y + i / 2 * columns, x + i, 4);
}

static inline void lay_out(const int16_t* x, uint32_t* y, int64_t in, int columns, int rows) {
    for (int64_t i = 0; i < in; i += 32) {
        const __m512i numbers = _mm512_loadu_si512(x + i);  // 256 high + low, both signed
        const __m512i high = _mm512_srai_epi16(_mm512_add_epi16(numbers, _mm512_set1_epi16(128)), 8);
        uint32_t highs[8], lows[8];
        _mm256_storeu_si256((__m256i*)highs, _mm512_cvtepi16_epi8(high));
        _mm256_storeu_si256((__m256i*)lows, _mm512_cvtepi16_epi8(numbers));
        for (int j = 0; j < 8; ++j, y += columns) {
            y[0] = highs[j];
            y[rows] = lows[j];
        }
    }
}

template <typename W, int DIGITS>
struct AMX {
    static constexpr bool EXISTS = true;
    static constexpr int ROWS = 16, BYTES = 64;            // of a register
    static constexpr int64_t OUT = 2 * ROWS;               // of the matrix: two sums that do not wait for each other
    static constexpr int64_t COLUMNS = BYTES / sizeof(W);  // of the matrix

    static bool serves(int64_t in) { return in % COLUMNS == 0 && may_use_matrix_unit(); }

    // Rows of x that are taken at once: as many in each group, so far as that goes.
    static int group(int rows) {
        constexpr int MOST = ROWS / DIGITS;
        const int groups = (rows + MOST - 1) / MOST;
        return (rows + groups - 1) / groups;
    }

    // Elements of the laid out inputs: whole groups.
    static int64_t room(int rows, int64_t in) { return (rows + ROWS) * in / 2; }

    // Registers for `rows` rows of x; to be called by every thread, and `leave` in the end.
    static void enter(int rows) {
        if (!may_use_matrix_unit()) return;
        struct alignas(64) {
            uint8_t palette = 1, start = 0, unused[14] = {};
            uint16_t bytes[16] = {};
            uint8_t rows[16] = {};
        } shapes;
        const uint16_t columns = 4 * DIGITS * rows;
        const uint16_t bytes[] = {columns, columns, BYTES, BYTES, columns};  // sums, weights, inputs
        std::copy(bytes, bytes + 5, shapes.bytes);
        std::fill(shapes.rows, shapes.rows + 5, ROWS);
        _tile_loadconfig(&shapes);
    }
    static void leave() {
        if (may_use_matrix_unit()) _tile_release();
    }

    static void lay_out_row(const typename Kernel<W>::Input* x, uint32_t* y, int64_t in, int rows) {
        lay_out(x, y, in, DIGITS * rows, rows);
    }

    // sums[o][c] = <row o of the matrix, column c of the inputs>
    static void multiply(const W* matrix, const uint32_t* inputs, int64_t in, int rows, float (&sums)[OUT][ROWS]) {
        constexpr int64_t AHEAD = 8;  // registers that are read while memory answers
        const int64_t steps = in / COLUMNS, stride = in * sizeof(W), columns = 4 * DIGITS * rows;
        const char* weights = (const char*)matrix;
        _tile_zero(0);
        _tile_zero(1);
        for (int64_t step = 0; step < steps; ++step) {
            const int64_t later = step + AHEAD, next = later < steps ? later * BYTES : OUT * stride + (later - steps) * BYTES;
            for (int64_t o = 0; o < OUT; ++o) _mm_prefetch(weights + o * stride + next, _MM_HINT_T0);
            _tile_loadd(4, inputs + step * ROWS * columns / 4, columns);
            _tile_loadd(2, weights + step * BYTES, stride);
            _tile_loadd(3, weights + ROWS * stride + step * BYTES, stride);
            if constexpr (DIGITS == 1) {
                _tile_dpbf16ps(0, 2, 4);
                _tile_dpbf16ps(1, 3, 4);
            } else {
                _tile_dpbssd(0, 2, 4);
                _tile_dpbssd(1, 3, 4);
            }
        }
        _tile_stored(0, sums[0], sizeof sums[0]);
        _tile_stored(1, sums[ROWS], sizeof sums[0]);
        if constexpr (DIGITS == 2)
            for (auto& of_row : sums)
                for (int row = 0; row < rows; ++row) {
                    int32_t high, low;
                    std::memcpy(&high, of_row + row, 4);
                    std::memcpy(&low, of_row + rows + row, 4);
                    of_row[row] = 256.0f * high + low;
                }
    }
};

template <>
struct MatrixUnit<uint16_t> : AMX<uint16_t, 1> {};
template <>
struct MatrixUnit<int8_t> : AMX<int8_t, 2> {};
#endif
