import type { WeightDtype } from '../../files/dtypes.ts';
import type { KernelDispatch } from '../dispatches.ts';
import { mapModeRead, usage } from '../flags.ts';
import { bindWhole, dispatch, kernels, pipelinesOf } from '../kernels.ts';

/**
 * One dispatch of one kernel on its own. `data`: what each binding holds before, in the kernel's order, or for an output
 * its number of float32 elements. Returns the outputs by name.
 */
export async function runKernel(
  device: GPUDevice,
  options: KernelDispatch & {
    readonly dtype?: WeightDtype;
    readonly data: readonly (ArrayBufferView<ArrayBuffer> | number)[];
  },
): Promise<Map<string, Float32Array>> {
  const pipeline = await pipelinesOf(device)(options.kernel, options.constants, options.dtype);
  const buffers = options.data.map((data) => {
    const size = typeof data === 'number' ? data * 4 : data.byteLength;
    const buffer = device.createBuffer({ size, usage: usage.storage | usage.copySource | usage.copyTarget });
    // Outputs begin as NaN, so that an element the kernel does not write cannot pass for a result.
    device.queue.writeBuffer(buffer, 0, typeof data === 'number' ? new Float32Array(data).fill(Number.NaN) : data);
    return buffer;
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  dispatch(pass, { pipeline, bindGroup: bindWhole(device, pipeline, buffers), grid: options.grid });
  pass.end();
  const outputs = kernels[options.kernel].bindings.flatMap(([output, access], i) =>
    access === 'write' ? [{ output, i }] : [],
  );
  const staged = outputs.map(({ i }) => {
    const staging = device.createBuffer({ size: buffers[i].size, usage: usage.copyTarget | usage.mapRead });
    encoder.copyBufferToBuffer(buffers[i], 0, staging, 0, buffers[i].size);
    return staging;
  });
  device.queue.submit([encoder.finish()]);
  const results = new Map<string, Float32Array>();
  for (const [n, { output }] of outputs.entries()) {
    await staged[n].mapAsync(mapModeRead);
    results.set(output, new Float32Array(staged[n].getMappedRange().slice(0)));
  }
  for (const buffer of [...buffers, ...staged]) buffer.destroy();
  return results;
}
