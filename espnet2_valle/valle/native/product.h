// x W^T + b for a few rows of x: each weight is read from memory once, whatever their number.
#pragma once

#include <cstdint>

#include "kernel.h"

struct Linear {
    const void* weight;  // (out, in), row-major, of the model's type
    const float* scale;  // (out) for int8, else null
    const float* bias;   // (out), or null
};

// Rows of x as the kernel wants them.
template <typename W>
struct Inputs {
    typename Kernel<W>::Input* rows;
    float* scales;
};

constexpr int TILE_OUT = 2;                     // rows of the matrix that are read side by side,
constexpr int TILE_ROWS = LANES == 16 ? 8 : 4;  // and rows of x against them: as many sums as registers hold

// x (rows, in) -> inputs. Threads of a team share the rows and wait for one another.
template <typename W>
void prepare(const float* x, const Inputs<W>& inputs, int rows, int64_t in) {
#pragma omp for schedule(static)
    for (int row = 0; row < rows; ++row)
        inputs.scales[row] = Kernel<W>::prepare(x + row * in, inputs.rows + row * in, in);
}

// Calls put(row, o, <matrix row o, x row>) for OUT rows of the matrix and the rows of x from `first` on.
template <typename W, int OUT, int ROWS, typename Put>
inline void tiles(const W* matrix, const Inputs<W>& x, int first, int rows, int64_t in, Put put) {
    for (; first + ROWS <= rows; first += ROWS) {
        float sums[OUT][ROWS];
        tile<W, OUT, ROWS, (OUT * ROWS > 2 ? 1 : 4)>(matrix, in, x.rows + first * in, in, sums);
        for (int o = 0; o < OUT; ++o)
            for (int r = 0; r < ROWS; ++r) put(first + r, o, sums[o][r] * x.scales[first + r]);
    }
    if constexpr (ROWS > 1) tiles<W, OUT, ROWS / 2>(matrix, x, first, rows, in, put);
}

// Calls put(row, o, y[row][o]) for y = x W^T + b. Threads of a team share the outputs and wait for one another.
template <typename W, typename Put>
void product(const Linear& linear, const Inputs<W>& x, int rows, int64_t in, int64_t out, Put put) {
    const W* weight = (const W*)linear.weight;
    const auto finish = [&](int row, int64_t o, float y) {
        if (linear.scale) y *= linear.scale[o];
        put(row, o, linear.bias ? y + linear.bias[o] : y);
    };
    const int64_t whole = rows == 1 ? 0 : out / TILE_OUT * TILE_OUT;  // one row of x: memory likes one row of W
#pragma omp for schedule(static) nowait
    for (int64_t o = 0; o < whole; o += TILE_OUT)
        tiles<W, TILE_OUT, TILE_ROWS>(weight + o * in, x, 0, rows, in,
                                      [&](int row, int nth, float y) { finish(row, o + nth, y); });
#pragma omp for schedule(static)
    for (int64_t o = whole; o < out; ++o)
        tiles<W, 1, TILE_ROWS>(weight + o * in, x, 0, rows, in, [&](int row, int, float y) { finish(row, o, y); });
}
