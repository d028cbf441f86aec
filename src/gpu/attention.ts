import type { KernelDispatch, KernelName, KernelSupport } from './kernels.ts';

/** The kernels that can do attention; the first does it on any adapter. */
export const attentionKernels = ['attention', 'attention_quad', 'attention_group'] as const satisfies KernelName[];
export type AttentionKernel = (typeof attentionKernels)[number];

/** How `kernel` does some queries of every head of some passes, beyond L, H and HEAD_DIM; undefined where the device does not suit it. */
export function attentionDispatch(
  kernel: AttentionKernel,
  { queries, heads, passes }: { readonly queries: number; readonly heads: number; readonly passes: number },
  { subgroups }: KernelSupport,
): KernelDispatch<AttentionKernel> | undefined {
  switch (kernel) {
    case 'attention':
      return { kernel, constants: { WORKGROUP: 32 }, grid: [Math.ceil(queries / 32), heads, passes] };
    case 'attention_quad':
      // As small as can be, for a group's queries past the end are computed too.
      if (!subgroups) return undefined;
      return { kernel, constants: { WORKGROUP: 8 }, grid: [Math.ceil(queries / 8), heads, passes] };
    case 'attention_group':
      return { kernel, constants: { WORKGROUP: 128 }, grid: [Math.ceil(queries / 4), heads, passes] };
    default:
      return kernel satisfies never;
  }
}
