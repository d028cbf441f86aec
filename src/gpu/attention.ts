import type { Constants, KernelName } from './kernels.ts';

/** The kernels that can do attention; the first is for adapters of few lanes. */
export const attentionKernels = ['attention', 'attention_group'] as const satisfies KernelName[];
export type AttentionKernel = (typeof attentionKernels)[number];

/** How `kernel` does some queries of every head of some passes. */
export function attentionDispatch(
  kernel: AttentionKernel,
  { queries, heads, passes }: { readonly queries: number; readonly heads: number; readonly passes: number },
): { readonly constants: Constants; readonly grid: readonly [number, number, number] } {
  switch (kernel) {
    case 'attention':
      return { constants: { WORKGROUP: 32 }, grid: [Math.ceil(queries / 32), heads, passes] };
    case 'attention_group':
      return { constants: { WORKGROUP: 128 }, grid: [Math.ceil(queries / 4), heads, passes] };
    default:
      return kernel satisfies never;
  }
}
