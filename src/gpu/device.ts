/** There is no WebGPU here. The message says what is missing and what to do. */
export class WebGpuUnavailableError extends Error {
  override name = 'WebGpuUnavailableError';
}

export interface GpuDevice {
  readonly device: GPUDevice;
  /** Description, or else vendor and architecture, as far as the browser gives them. */
  readonly description: string;
  /** True where a CPU stands in for the GPU. */
  readonly software: boolean;
}

/** Finds an adapter and makes a device with what the encoder can use. Throws WebGpuUnavailableError. */
export async function requestGpuDevice(gpu: GPU | undefined): Promise<GpuDevice> {
  if (!gpu)
    throw new WebGpuUnavailableError(
      'This browser has no WebGPU, so the encoder cannot run; a current Chrome, Edge, Firefox or Safari has it.',
    );
  // Dawn for Node throws where a browser answers null.
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  if (!adapter)
    throw new WebGpuUnavailableError(
      'WebGPU found no graphics adapter; update the graphics driver, or allow hardware acceleration in the settings.',
    );
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  const requiredFeatures: GPUFeatureName[] = adapter.features.has('timestamp-query') ? ['timestamp-query'] : [];
  const device = await adapter.requestDevice({ label: 'clipscope', requiredFeatures });
  return {
    device,
    description: description || [vendor, architecture].filter(Boolean).join(' ') || 'unnamed adapter',
    software: isFallbackAdapter || /swiftshader|llvmpipe|warp/i.test(`${architecture} ${description}`),
  };
}
