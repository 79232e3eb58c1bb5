// Matrix products and bodies under gravity, compiled once for SSE2 and once for AVX2 with FMA.
// Who includes it defines square_root() first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace vitrine::bench {
namespace {

constexpr std::size_t kSize = 64;
constexpr std::size_t kBodies = 5;

struct Matrices {
  alignas(64) std::array<double, kSize * kSize> left, right, product;
};

struct Body {
  double x, y, z, vx, vy, vz, mass;
};

void fill(Matrices& m) {
  for (std::size_t i = 0; i < m.left.size(); ++i) {
    m.left[i] = static_cast<double>(static_cast<std::int32_t>(i % 17)) * 0.25;
    m.right[i] = static_cast<double>(static_cast<std::int32_t>(i % 13)) - 6.5;
  }
}

void multiply(Matrices& m) {
  for (std::size_t i = 0; i < kSize; ++i) {
    for (std::size_t j = 0; j < kSize; ++j) m.product[i * kSize + j] = 0;
    for (std::size_t k = 0; k < kSize; ++k) {
      const double factor = m.left[i * kSize + k];
      for (std::size_t j = 0; j < kSize; ++j) {
        m.product[i * kSize + j] += factor * m.right[k * kSize + j];
      }
    }
  }
}

double checksum(const Matrices& m) {
  double sum = 0;
  for (const double value : m.product) sum += value;
  return sum;
}

void place(std::array<Body, kBodies>& bodies) {
  double at = 1;
  for (Body& body : bodies) {
    body = {at, at * 0.5 - 2, 3 - at, 0.01 * at, -0.02 * at, 0.03, 1 / at};
    at += 1.25;
  }
}

void advance(std::array<Body, kBodies>& bodies, double step) {
  for (std::size_t i = 0; i < kBodies; ++i) {
    Body& a = bodies[i];
    for (std::size_t j = i + 1; j < kBodies; ++j) {
      Body& b = bodies[j];
      const double dx = a.x - b.x, dy = a.y - b.y, dz = a.z - b.z;
      const double square = dx * dx + dy * dy + dz * dz;
      const double pull = step / (square * square_root(square));
      a.vx -= dx * b.mass * pull;
      a.vy -= dy * b.mass * pull;
      a.vz -= dz * b.mass * pull;
      b.vx += dx * a.mass * pull;
      b.vy += dy * a.mass * pull;
      b.vz += dz * a.mass * pull;
    }
  }
  for (Body& body : bodies) {
    body.x += step * body.vx;
    body.y += step * body.vy;
    body.z += step * body.vz;
  }
}

Matrices matrices;
std::array<Body, kBodies> bodies;

std::uint64_t multiply_often(std::uint64_t rounds) {
  fill(matrices);
  for (std::uint64_t i = 0; i < rounds; ++i) multiply(matrices);
  return __builtin_bit_cast(std::uint64_t, checksum(matrices));
}

std::uint64_t advance_often(std::uint64_t rounds) {
  place(bodies);
  for (std::uint64_t i = 0; i < rounds * 400; ++i) advance(bodies, 0.001);
  return __builtin_bit_cast(std::uint64_t, bodies[0].x);
}

}  // namespace
}  // namespace vitrine::bench
