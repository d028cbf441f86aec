/** WebGPU's flags as numbers, because Node has no globals for them. */

/** Bits of GPUBufferUsage. */
export const usage = {
  mapRead: 0x0001,
  copySource: 0x0004,
  copyTarget: 0x0008,
  storage: 0x0080,
  queryResolve: 0x0200,
} as const;

/** GPUMapMode.READ */
export const mapModeRead = 1;

/** GPUShaderStage.COMPUTE */
export const computeStage = 4;
