import { expect, test } from 'vitest';
import { requestGpuDevice, WebGpuUnavailableError } from './device.ts';

test.each([
  ['no WebGPU', undefined, 'has no WebGPU'],
  ['no adapter, as browsers say it', async () => null, 'no graphics adapter'],
  ['no adapter, as Dawn says it', () => Promise.reject(new Error('No adapter.')), 'no graphics adapter'],
])('%s is an error that says what to do', async (_, requestAdapter, sentence) => {
  const gpu = requestAdapter && ({ requestAdapter } as unknown as GPU);
  const request = requestGpuDevice(gpu);
  await expect(request).rejects.toThrow(WebGpuUnavailableError);
  await expect(request).rejects.toThrow(sentence);
});
