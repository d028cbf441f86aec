import type { Facts } from '../facts.ts';

/** Whether the page's own encoder runs on a GPU that is no processor in the place of one. */
export const drawsOnGpu = ({ model }: Facts): boolean => model?.engine.engine === 'webgpu' && !model.engine.software;
