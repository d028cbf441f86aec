/** There is no WebGPU here. The message says what is missing and what to do. */
export class WebGpuUnavailableError extends Error {
  override name = 'WebGpuUnavailableError';
  /** A clause that says what is missing. */
  readonly reason: string;
  /** Says what to do about it. */
  readonly remedy: string;
  constructor(reason: string, remedy: string, options?: ErrorOptions) {
    super(`${reason}; ${remedy}, or choose the CPU.`, options);
    this.reason = reason;
    this.remedy = remedy;
  }
}

export interface GpuDevice {
  readonly device: GPUDevice;
  /** Description, or else vendor and architecture, as far as the browser gives them. */
  readonly description: string;
  /** True where a CPU stands in for the GPU. */
  readonly software: boolean;
}

/** Says what an adapter is, as far as the browser tells: Chrome 113 to 126 had to be asked, and had no `info`. */
async function infoOf(adapter: GPUAdapter): Promise<Partial<GPUAdapterInfo>> {
  const older = adapter as Partial<Pick<GPUAdapter, 'info'>> & {
    readonly isFallbackAdapter?: boolean;
    requestAdapterInfo?(): Promise<GPUAdapterInfo>;
  };
  const { isFallbackAdapter } = older;
  return older.info ?? { ...(await older.requestAdapterInfo?.()), isFallbackAdapter };
}

/** Finds an adapter and makes a device with what the encoder can use. Throws WebGpuUnavailableError. */
export async function requestGpuDevice(gpu: GPU | undefined): Promise<GpuDevice> {
  if (!gpu)
    throw globalThis.isSecureContext === false
      ? new WebGpuUnavailableError(
          'Browsers offer WebGPU to pages from https or localhost alone',
          'open the page from there',
        )
      : new WebGpuUnavailableError('This browser has no WebGPU', 'use one that has it');
  // Dawn for Node throws where a browser answers null.
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  if (!adapter)
    throw new WebGpuUnavailableError(
      'WebGPU finds no graphics adapter',
      'update the graphics driver, allow hardware acceleration in the settings',
    );
  const { vendor, architecture, description, isFallbackAdapter = false } = await infoOf(adapter);
  const requiredFeatures: GPUFeatureName[] = adapter.features.has('timestamp-query') ? ['timestamp-query'] : [];
  const device = await adapter.requestDevice({ label: 'clipscope', requiredFeatures }).catch((cause: Error) => {
    throw new WebGpuUnavailableError(
      `WebGPU refuses its graphics adapter (${cause.message.replace(/\.$/, '')})`,
      'restart the browser',
      { cause },
    );
  });
  return {
    device,
    description: description || [vendor, architecture].filter(Boolean).join(' ') || 'unnamed adapter',
    software: isFallbackAdapter || /swiftshader|llvmpipe|warp|basic render/i.test(`${architecture} ${description}`),
  };
}
