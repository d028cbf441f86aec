// Every matmul kernel shares this: a linear layer with what follows it, for the Q, K, V and output projections (eq. 30, 31, 35,
// with the biases that they leave out) and the two layers of the MLP (eq. 27, 36 to 39), and the residual sums (eq. 42 to 44,
// 47).
//   y = x Wᵀ + b                        EPILOGUE 0
//   y = quick_gelu(x Wᵀ + b)            EPILOGUE 1,  quick_gelu(u) = u · sigmoid(1.702 u) (eq. 27)
//   y = residual + x Wᵀ + b             EPILOGUE 2
// A general product [rows, in] · [out, in]ᵀ: K is in and N is out, each a multiple of d or m (config.ts); rows are some of B · L.
// binding 0  x        [rows, K]  f32
// binding 1  weight   [N, K]     f32, f16 or bf16, as checkpoints store it
// binding 2  bias     [N]        f32
// binding 3  residual [rows, N]  f32, read for EPILOGUE 2 only
// binding 4  y        [rows, N]  f32
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<WeightBlock>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;

override K: u32;
override N: u32;
override EPILOGUE: u32 = 0;

/** Weights of four columns for four k: blocks `at`, `at + stride`, … of the weight, as columns of a matrix. */
fn columns4(at: u32, stride: u32) -> mat4x4f {
  return mat4x4f(
    weights4(weight[at]), weights4(weight[at + stride]), weights4(weight[at + 2 * stride]), weights4(weight[at + 3 * stride]));
}

/** Adds four inputs times the weights of four columns to `sums`, one k after the other. w[i] has the weights of the i-th k. */
fn add_products(sums: vec4f, v: vec4f, w: mat4x4f) -> vec4f {
  return fma(vec4f(v.w), w[3], fma(vec4f(v.z), w[2], fma(vec4f(v.y), w[1], fma(vec4f(v.x), w[0], sums))));
}

/** QuickGELU (eq. 27). The argument of exp is never positive, so it cannot overflow. */
fn quick_gelu(u: vec4f) -> vec4f {
  let e = exp(-abs(1.702 * u));
  return u * select(e, vec4f(1), u >= vec4f()) / (1 + e);
}

/** Stores four outputs, columns 4 · column … 4 · column + 3 of a row; nothing where the row is past the end. */
fn store(row: u32, column: u32, product: vec4f) {
  let at = row * (N / 4) + column;
  if (at >= arrayLength(&y)) {
    return;
  }
  var value = product + bias[column];
  if (EPILOGUE == 1) {
    value = quick_gelu(value);
  }
  if (EPILOGUE == 2) {
    value += residual[at];
  }
  y[at] = value;
}
