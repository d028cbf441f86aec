import type { KernelDispatch, KernelName, KernelSupport } from './kernels.ts';

/** Kernels for attention; the first runs on any adapter. */
export const attentionKernels = ['attention', 'attention_quad', 'attention_group'] as const satisfies KernelName[];
export type AttentionKernel = (typeof attentionKernels)[number];

/** Grid and constants (except L, H and HEAD_DIM) for these queries of every head; undefined where the device cannot run the kernel. */
export function attentionDispatch(
  kernel: AttentionKernel,
  { queries, heads, passes }: { readonly queries: number; readonly heads: number; readonly passes: number },
  { subgroups }: KernelSupport,
): KernelDispatch<AttentionKernel> | undefined {
  switch (kernel) {
    case 'attention':
      return { kernel, constants: { WORKGROUP: 32 }, grid: [Math.ceil(queries / 32), heads, passes] };
    case 'attention_quad':
      // The smallest workgroup, because queries past the end are computed too.
      if (!subgroups) return undefined;
      return { kernel, constants: { WORKGROUP: 8 }, grid: [Math.ceil(queries / 8), heads, passes] };
    case 'attention_group':
      return { kernel, constants: { WORKGROUP: 128 }, grid: [Math.ceil(queries / 4), heads, passes] };
    default:
      return kernel satisfies never;
  }
}
