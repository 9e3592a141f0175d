// Streaming in RTNeural with compile-time sizes and its Eigen backend: two of the streaming models of the table, with
// random weights. Prints one line of JSON per model with the median of nine rounds, in nanoseconds per step.
#include <RTNeural/RTNeural.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <vector>

constexpr int features = 3, classes = 6;

std::vector<std::vector<float>> uniform(int rows, int columns, float bound, std::mt19937& generator)
{
    std::uniform_real_distribution<float> values(-bound, bound);
    std::vector<std::vector<float>> matrix(rows, std::vector<float>(columns));
    for(auto& row : matrix)
        for(auto& value : row)
            value = values(generator);
    return matrix;
}

template <typename Layer, int units, int gates, bool second_bias>
void measure(const char* name)
{
    using Head = RTNeural::DenseT<float, units, classes>;
    static RTNeural::ModelT<float, features, classes, Layer, Head> model;
    std::mt19937 generator(1);
    const auto bound = 1.0f / std::sqrt(float(units));
    auto& layer = model.template get<0>();
    layer.setWVals(uniform(features, gates * units, bound, generator));
    layer.setUVals(uniform(units, gates * units, bound, generator));
    if constexpr(second_bias)
        layer.setBVals(uniform(2, gates * units, bound, generator));
    else
        layer.setBVals(uniform(1, gates * units, bound, generator)[0]);
    auto& head = model.template get<1>();
    head.setWeights(uniform(classes, units, bound, generator));
    head.setBias(uniform(1, classes, bound, generator)[0].data());
    model.reset();

    constexpr int steps = 150;
    const auto x = uniform(steps, features, 1.0f, generator);
    float sum = 0.0f; // Printed, so that the compiler cannot eliminate the steps.
    std::vector<double> rounds;
    for(int round = 0; round < 9; ++round)
    {
        const int repetitions = 400;
        const auto start = std::chrono::steady_clock::now();
        for(int repetition = 0; repetition < repetitions; ++repetition)
            for(const auto& step : x)
            {
                alignas(RTNEURAL_DEFAULT_ALIGNMENT) float input[16] = { step[0], step[1], step[2] };
                sum += model.forward(input);
            }
        const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
        rounds.push_back(taken.count() / (repetitions * steps));
    }
    std::sort(rounds.begin(), rounds.end());
    std::printf("{\"model\": \"%s\", \"nanoseconds\": %.1f, \"sum\": %g}\n", name, rounds[rounds.size() / 2], sum);
}

int main()
{
    measure<RTNeural::GRULayerT<float, features, 64>, 64, 3, true>("GRU 3-64-6");
    measure<RTNeural::LSTMLayerT<float, features, 128>, 128, 4, false>("LSTM 3-128-6");
}
