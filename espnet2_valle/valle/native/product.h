// x W^T + b for a few rows of x: each weight is read from memory once, whatever their number.
#pragma once

#include <cstdint>

#include "kernel.h"
#include "matrix_unit.h"

struct Linear {
    const void* weight;  // (out, in), row-major, of the model's type
    const float* scale;  // (out) for int8, else null
    const float* bias;   // (out), or null
};

// Rows of x as the kernel wants them, and as the matrix unit does.
template <typename W>
struct Inputs {
    typename Kernel<W>::Input* rows;
    float* scales;
    uint32_t* columns;  // (groups, in / numbers in 4 bytes, columns of a group)
    int group;          // rows that the matrix unit takes at once

    uint32_t* of_group(int nth, int64_t in) const { return columns + nth * group * in * sizeof *rows / 4; }
};

constexpr int TILE_OUT = 2;                     // rows of the matrix that are read side by side,
constexpr int TILE_ROWS = LANES == 16 ? 8 : 4;  // and rows of x against them: as many sums as registers hold

// x (rows, in) -> inputs. Threads of a team share the rows and wait for one another.
template <typename W>
void prepare(const float* x, const Inputs<W>& inputs, int rows, int64_t in) {
#pragma omp for schedule(static)
    for (int row = 0; row < rows; ++row) {
        auto* const prepared = inputs.rows + row * in;
        inputs.scales[row] = Kernel<W>::prepare(x + row * in, prepared, in);
        if constexpr (MatrixUnit<W>::EXISTS)
            if (MatrixUnit<W>::serves(in))
                MatrixUnit<W>::lay_out_row(prepared, inputs.of_group(row / inputs.group, in) + row % inputs.group, in,
                                           inputs.group);
    }
}

// Calls put(row, o, <matrix row o, x row>) for OUT rows of the matrix and the rows of x from `first` on.
template <typename W, int OUT, int ROWS, typename Put>
inline void tiles(const W* matrix, const Inputs<W>& x, int first, int rows, int64_t in, Put put) {
    constexpr int64_t SOONEST = 8192;  // bytes that are read while memory answers
    const int64_t ahead = std::max<int64_t>(OUT * in, SOONEST / sizeof(W));  // the next tile, or one further on
    for (; first + ROWS <= rows; first += ROWS) {
        float sums[OUT][ROWS];
        tile<W, OUT, ROWS, (OUT * ROWS > 2 ? 1 : 4)>(matrix, in, x.rows + first * in, in, ahead, sums);
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
    int64_t done = 0;
    if constexpr (MatrixUnit<W>::EXISTS)
        if (MatrixUnit<W>::serves(in)) {
            constexpr int64_t OUT = MatrixUnit<W>::OUT;
            done = out / OUT * OUT;
#pragma omp for schedule(static) nowait
            for (int64_t o = 0; o < done; o += OUT)
                for (int first = 0; first < rows; first += x.group) {
                    float sums[OUT][MatrixUnit<W>::ROWS];
                    MatrixUnit<W>::multiply(weight + o * in, x.of_group(first / x.group, in), in, x.group, sums);
                    for (int row = first; row < std::min(rows, first + x.group); ++row)
                        for (int64_t i = 0; i < OUT; ++i) finish(row, o + i, sums[i][row - first] * x.scales[row]);
                }
        }
    const int64_t pairs = rows == 1 ? done : out / TILE_OUT * TILE_OUT;  // one row of x: memory likes one row of W
#pragma omp for schedule(static) nowait
    for (int64_t o = done; o < pairs; o += TILE_OUT)
        tiles<W, TILE_OUT, TILE_ROWS>(weight + o * in, x, 0, rows, in,
                                      [&](int row, int nth, float y) { finish(row, o + nth, y); });
#pragma omp for schedule(static)
    for (int64_t o = pairs; o < out; ++o)
        tiles<W, 1, TILE_ROWS>(weight + o * in, x, 0, rows, in, [&](int row, int, float y) { finish(row, o, y); });
}
