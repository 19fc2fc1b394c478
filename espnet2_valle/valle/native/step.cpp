// One step of incremental decoding: a Transformer over the newest position of each row and a cache of the earlier ones.
//
// What `Transformer.forward` computes, in one call. A step of one row reads every weight once and does next to nothing
// with it, so that whatever stands beside the reading is what to avoid. One team of threads goes through all layers;
// its members share the outputs of a product, and the heads. Sums are in float32, whatever the weights are.
// `step.py` describes the structures below to Python.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "moments.h"
#include "attention.h"
#include "product.h"

struct Norm {
    const float *scale, *shift;  // (width)
};

struct Layer {
    Norm attention_norm;
    Linear qkv, attention_out;
    Norm feed_forward_norm;
    Linear expand, contract;
};

struct Model {
    int64_t layers, width, heads, feed_forward;
    const Layer* layer;
    Norm norm;
};

struct Cache {
    void* buffer;  // (layers, 2, capacity, heads, max_length, entry)
    int64_t capacity, max_length, length;
    const int64_t* starts;  // first position of each row
};

namespace {

// y = scale (x - mean) / deviation + shift, row by row; a team's threads share the rows and wait for one another.
void normalise(const Norm& norm, const float* x, float* y, int rows, int64_t width) {
#pragma omp for schedule(static)
    for (int row = 0; row < rows; ++row) {
        const float* from = x + row * width;
        float* to = y + row * width;
        const Moments of_row = moments(from, width);
        const float mean = of_row.mean, factor = of_row.factor;
#pragma omp simd
        for (int64_t i = 0; i < width; ++i) to[i] = (from[i] - mean) * factor * norm.scale[i] + norm.shift[i];
    }
}

// Stores the newest keys and values of layer `nth`, and attends: qkv (rows, 3 width) -> out (rows, width).
template <typename E>
void attend_all(const Model& model, const Cache& cache, int64_t nth, const float* qkv, float* out, int rows) {
    const int64_t head_dim = model.width / model.heads, entry = entry_size<E>(head_dim);
    const int64_t part = cache.capacity * model.heads * cache.max_length * entry;  // keys, or values, of a layer
    E* buffer = (E*)cache.buffer + 2 * nth * part;
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < rows * model.heads; ++task) {
        const int64_t row = task / model.heads, channel = task % model.heads * head_dim;
        const float* query = qkv + row * 3 * model.width + channel;
        E* keys = buffer + task * cache.max_length * entry;
        E* values = keys + part;
        write_entry(query + model.width, keys + cache.length * entry, head_dim);
        write_entry(query + 2 * model.width, values + cache.length * entry, head_dim);
        const int64_t start = cache.starts[row];
        attend(query, keys + start * entry, values + start * entry, head_dim, cache.length + 1 - start,
               out + row * model.width + channel);
    }
}

// What lies between the products; kept from step to step.
template <typename W>
struct Scratch {
    std::vector<float> values, qkv, scales;
    std::vector<typename Kernel<W>::Input> inputs;
    std::vector<uint32_t> columns;

    static Scratch& of(int rows, int64_t width, int64_t hidden) {
        thread_local Scratch scratch;
        const int64_t widest = std::max(width, hidden);
        scratch.values.resize(rows * widest);
        scratch.qkv.resize(rows * 3 * width);
        scratch.scales.resize(rows);
        scratch.inputs.resize(rows * widest);
        scratch.columns.resize(MatrixUnit<W>::room(rows, widest));
        return scratch;
    }
};

// x (rows, width) becomes the Transformer's output.
template <typename W>
void step(const Model& model, const Cache& cache, float* x, int rows, int threads) {
    const int64_t width = model.width, hidden = model.feed_forward;
    Scratch<W>& scratch = Scratch<W>::of(rows, width, hidden);
    float* const values = scratch.values.data();
    float* const qkv = scratch.qkv.data();
    using Unit = MatrixUnit<W>;
    const int group = Unit::group(rows);
    const Inputs<W> inputs = {scratch.inputs.data(), scratch.scales.data(), scratch.columns.data(), group};
    const auto add = [=](int row, int64_t o, float y) { x[row * width + o] += y; };
#pragma omp parallel num_threads(threads)
    {
        Unit::enter(group);
        for (int64_t nth = 0; nth < model.layers; ++nth) {
            const Layer& layer = model.layer[nth];
            normalise(layer.attention_norm, x, values, rows, width);
            prepare(values, inputs, rows, width);
            product(layer.qkv, inputs, rows, width, 3 * width,
                    [=](int row, int64_t o, float y) { qkv[row * 3 * width + o] = y; });
            attend_all<W>(model, cache, nth, qkv, values, rows);
            prepare(values, inputs, rows, width);
            product(layer.attention_out, inputs, rows, width, width, add);
            normalise(layer.feed_forward_norm, x, values, rows, width);
            prepare(values, inputs, rows, width);
            product(layer.expand, inputs, rows, width, hidden,
                    [=](int row, int64_t o, float y) { values[row * hidden + o] = y > 0 ? y : 0; });
            prepare(values, inputs, rows, hidden);
            product(layer.contract, inputs, rows, hidden, width, add);
        }
        normalise(model.norm, x, x, rows, width);
        Unit::leave();
    }
}
}  // namespace

extern "C" {
void step_float32(const Model* model, const Cache* cache, float* x, int rows, int threads) {
    step<float>(*model, *cache, x, rows, threads);
}
void step_bfloat16(const Model* model, const Cache* cache, float* x, int rows, int threads) {
    step<uint16_t>(*model, *cache, x, rows, threads);
}
void step_int8(const Model* model, const Cache* cache, float* x, int rows, int threads) {
    step<int8_t>(*model, *cache, x, rows, threads);
}
}
