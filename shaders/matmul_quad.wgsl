// Matrix product of a linear layer (eq. 30, 31, 35), after linear.wgsl, for adapters with subgroups. K and N are multiples
// of 16, M is anything.
// grid: x over N / 16 columns, y over M / (5 · WORKGROUP) rows.
// Four lanes hold 20 × 16 outputs. Each loads a quarter of the weights of a step and gives it to the other three; the lanes
// differ in their rows. On SwiftShader a load costs most, and a broadcast from a constant lane next to nothing.
override WORKGROUP: u32 = 8;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let blocks = K / 4;
  let lane = index % 4;
  let column = group.x * 4;
  let row = group.y * 5 * WORKGROUP + (index / 4) * 20 + lane;
  let last = arrayLength(&y) / (N / 4) - 1;
  // Rows past the end repeat the last one and are not stored.
  let x0 = min(row, last) * blocks;
  let x1 = min(row + 4, last) * blocks;
  let x2 = min(row + 8, last) * blocks;
  let x3 = min(row + 12, last) * blocks;
  let x4 = min(row + 16, last) * blocks;
  let at = column * 4 * blocks + lane;
  var a0 = vec4f();
  var b0 = vec4f();
  var c0 = vec4f();
  var d0 = vec4f();
  var a1 = vec4f();
  var b1 = vec4f();
  var c1 = vec4f();
  var d1 = vec4f();
  var a2 = vec4f();
  var b2 = vec4f();
  var c2 = vec4f();
  var d2 = vec4f();
  var a3 = vec4f();
  var b3 = vec4f();
  var c3 = vec4f();
  var d3 = vec4f();
  var a4 = vec4f();
  var b4 = vec4f();
  var c4 = vec4f();
  var d4 = vec4f();
  for (var k = 0u; k < blocks; k += 4) {
    let w0 = weights4(weight[at + k]);
    let w1 = weights4(weight[at + blocks + k]);
    let w2 = weights4(weight[at + 2 * blocks + k]);
    let w3 = weights4(weight[at + 3 * blocks + k]);
    let w4 = weights4(weight[at + 4 * blocks + k]);
    let w5 = weights4(weight[at + 5 * blocks + k]);
    let w6 = weights4(weight[at + 6 * blocks + k]);
    let w7 = weights4(weight[at + 7 * blocks + k]);
    let w8 = weights4(weight[at + 8 * blocks + k]);
    let w9 = weights4(weight[at + 9 * blocks + k]);
    let w10 = weights4(weight[at + 10 * blocks + k]);
    let w11 = weights4(weight[at + 11 * blocks + k]);
    let w12 = weights4(weight[at + 12 * blocks + k]);
    let w13 = weights4(weight[at + 13 * blocks + k]);
    let w14 = weights4(weight[at + 14 * blocks + k]);
    let w15 = weights4(weight[at + 15 * blocks + k]);
    {
      let v0 = x[x0 + k];
      let v1 = x[x1 + k];
      let v2 = x[x2 + k];
      let v3 = x[x3 + k];
      let v4 = x[x4 + k];
      let a = mat4x4f(quadBroadcast(w0, 0u), quadBroadcast(w1, 0u), quadBroadcast(w2, 0u), quadBroadcast(w3, 0u));
      a0 += v0 * a;
      a1 += v1 * a;
      a2 += v2 * a;
      a3 += v3 * a;
      a4 += v4 * a;
      let b = mat4x4f(quadBroadcast(w4, 0u), quadBroadcast(w5, 0u), quadBroadcast(w6, 0u), quadBroadcast(w7, 0u));
      b0 += v0 * b;
      b1 += v1 * b;
      b2 += v2 * b;
      b3 += v3 * b;
      b4 += v4 * b;
      let c = mat4x4f(quadBroadcast(w8, 0u), quadBroadcast(w9, 0u), quadBroadcast(w10, 0u), quadBroadcast(w11, 0u));
      c0 += v0 * c;
      c1 += v1 * c;
      c2 += v2 * c;
      c3 += v3 * c;
      c4 += v4 * c;
      let d = mat4x4f(quadBroadcast(w12, 0u), quadBroadcast(w13, 0u), quadBroadcast(w14, 0u), quadBroadcast(w15, 0u));
      d0 += v0 * d;
      d1 += v1 * d;
      d2 += v2 * d;
      d3 += v3 * d;
      d4 += v4 * d;
    }
    {
      let v0 = x[x0 + k + 1];
      let v1 = x[x1 + k + 1];
      let v2 = x[x2 + k + 1];
      let v3 = x[x3 + k + 1];
      let v4 = x[x4 + k + 1];
      let a = mat4x4f(quadBroadcast(w0, 1u), quadBroadcast(w1, 1u), quadBroadcast(w2, 1u), quadBroadcast(w3, 1u));
      a0 += v0 * a;
      a1 += v1 * a;
      a2 += v2 * a;
      a3 += v3 * a;
      a4 += v4 * a;
      let b = mat4x4f(quadBroadcast(w4, 1u), quadBroadcast(w5, 1u), quadBroadcast(w6, 1u), quadBroadcast(w7, 1u));
      b0 += v0 * b;
      b1 += v1 * b;
      b2 += v2 * b;
      b3 += v3 * b;
      b4 += v4 * b;
      let c = mat4x4f(quadBroadcast(w8, 1u), quadBroadcast(w9, 1u), quadBroadcast(w10, 1u), quadBroadcast(w11, 1u));
      c0 += v0 * c;
      c1 += v1 * c;
      c2 += v2 * c;
      c3 += v3 * c;
      c4 += v4 * c;
      let d = mat4x4f(quadBroadcast(w12, 1u), quadBroadcast(w13, 1u), quadBroadcast(w14, 1u), quadBroadcast(w15, 1u));
      d0 += v0 * d;
      d1 += v1 * d;
      d2 += v2 * d;
      d3 += v3 * d;
      d4 += v4 * d;
    }
    {
      let v0 = x[x0 + k + 2];
      let v1 = x[x1 + k + 2];
      let v2 = x[x2 + k + 2];
      let v3 = x[x3 + k + 2];
      let v4 = x[x4 + k + 2];
      let a = mat4x4f(quadBroadcast(w0, 2u), quadBroadcast(w1, 2u), quadBroadcast(w2, 2u), quadBroadcast(w3, 2u));
      a0 += v0 * a;
      a1 += v1 * a;
      a2 += v2 * a;
      a3 += v3 * a;
      a4 += v4 * a;
      let b = mat4x4f(quadBroadcast(w4, 2u), quadBroadcast(w5, 2u), quadBroadcast(w6, 2u), quadBroadcast(w7, 2u));
      b0 += v0 * b;
      b1 += v1 * b;
      b2 += v2 * b;
      b3 += v3 * b;
      b4 += v4 * b;
      let c = mat4x4f(quadBroadcast(w8, 2u), quadBroadcast(w9, 2u), quadBroadcast(w10, 2u), quadBroadcast(w11, 2u));
      c0 += v0 * c;
      c1 += v1 * c;
      c2 += v2 * c;
      c3 += v3 * c;
      c4 += v4 * c;
      let d = mat4x4f(quadBroadcast(w12, 2u), quadBroadcast(w13, 2u), quadBroadcast(w14, 2u), quadBroadcast(w15, 2u));
      d0 += v0 * d;
      d1 += v1 * d;
      d2 += v2 * d;
      d3 += v3 * d;
      d4 += v4 * d;
    }
    {
      let v0 = x[x0 + k + 3];
      let v1 = x[x1 + k + 3];
      let v2 = x[x2 + k + 3];
      let v3 = x[x3 + k + 3];
      let v4 = x[x4 + k + 3];
      let a = mat4x4f(quadBroadcast(w0, 3u), quadBroadcast(w1, 3u), quadBroadcast(w2, 3u), quadBroadcast(w3, 3u));
      a0 += v0 * a;
      a1 += v1 * a;
      a2 += v2 * a;
      a3 += v3 * a;
      a4 += v4 * a;
      let b = mat4x4f(quadBroadcast(w4, 3u), quadBroadcast(w5, 3u), quadBroadcast(w6, 3u), quadBroadcast(w7, 3u));
      b0 += v0 * b;
      b1 += v1 * b;
      b2 += v2 * b;
      b3 += v3 * b;
      b4 += v4 * b;
      let c = mat4x4f(quadBroadcast(w8, 3u), quadBroadcast(w9, 3u), quadBroadcast(w10, 3u), quadBroadcast(w11, 3u));
      c0 += v0 * c;
      c1 += v1 * c;
      c2 += v2 * c;
      c3 += v3 * c;
      c4 += v4 * c;
      let d = mat4x4f(quadBroadcast(w12, 3u), quadBroadcast(w13, 3u), quadBroadcast(w14, 3u), quadBroadcast(w15, 3u));
      d0 += v0 * d;
      d1 += v1 * d;
      d2 += v2 * d;
      d3 += v3 * d;
      d4 += v4 * d;
    }
  }
  store(row, column, a0);
  store(row, column + 1, b0);
  store(row, column + 2, c0);
  store(row, column + 3, d0);
  store(row + 4, column, a1);
  store(row + 4, column + 1, b1);
  store(row + 4, column + 2, c1);
  store(row + 4, column + 3, d1);
  store(row + 8, column, a2);
  store(row + 8, column + 1, b2);
  store(row + 8, column + 2, c2);
  store(row + 8, column + 3, d2);
  store(row + 12, column, a3);
  store(row + 12, column + 1, b3);
  store(row + 12, column + 2, c3);
  store(row + 12, column + 3, d3);
  store(row + 16, column, a4);
  store(row + 16, column + 1, b4);
  store(row + 16, column + 2, c4);
  store(row + 16, column + 3, d4);
}
