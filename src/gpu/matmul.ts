import type { KernelDispatch, KernelName, KernelSupport } from './kernels.ts';

/**
 * The kernels that can do a linear layer, by families: within one a row comes out the same to the bit whichever kernel does
 * it, which rows that are kept from one encode to the next rely on. The first of a family does any shape on any adapter.
 */
export const matmulFamilies = {
  inOneGo: ['matmul', 'matmul_quad', 'matmul_subgroup', 'matmul_few'],
  split: ['matmul_split'],
} as const satisfies Record<string, KernelName[]>;
export type MatmulKernel = (typeof matmulFamilies)[keyof typeof matmulFamilies][number];
export const matmulKernels: readonly MatmulKernel[] = Object.values(matmulFamilies).flat();

/** y [M, N] = x [M, K] Wᵀ */
export interface MatmulShape {
  readonly M: number;
  readonly K: number;
  readonly N: number;
}

/** Rows that are few. After the edit of a word as many are to be done as it has tokens, and one. */
const mostFew = 8;

/** How `kernel` does a product of this shape, beyond K, N and EPILOGUE; undefined where the device or the shape does not suit it. */
export function matmulDispatch(
  kernel: MatmulKernel,
  { M, N }: MatmulShape,
  { subgroups, subgroupSize }: KernelSupport,
): KernelDispatch<MatmulKernel> | undefined {
  // As few groups of lanes as their rows allow, and as even as can be, for rows past the end are computed too.
  const byLanes = (lanes: number, mostRows: number) => {
    const groups = Math.ceil(M / (mostRows * lanes));
    return { ROWS: Math.ceil(M / (groups * lanes)), grid: [groups, N / 16, 1] as const };
  };
  // Of a lane: of few rows all. Three pipelines rather than eight, for each takes its time to compile.
  const rows = M <= 2 ? 2 : M <= 4 ? 4 : 8;
  switch (kernel) {
    case 'matmul': {
      const [width, height] = M <= mostFew ? [8, 1] : [32, 2];
      return {
        kernel,
        constants: { WORKGROUP_X: width, WORKGROUP_Y: height, ROWS: rows },
        grid: [Math.ceil(N / 4 / width), Math.ceil(M / rows / height), 1],
      };
    }
    case 'matmul_quad': {
      if (!subgroups || N % 16 !== 0) return undefined;
      const lanes = Math.max(4, subgroupSize ?? 8);
      const { ROWS, grid } = byLanes(lanes, 14);
      // Half as many pipelines for the price of a row: SwiftShader takes half a second for one.
      const evenRows = ROWS > 4 ? 2 * Math.ceil(ROWS / 2) : ROWS;
      return { kernel, constants: { WORKGROUP: lanes, ROWS: evenRows }, grid };
    }
    case 'matmul_subgroup': {
      if (!subgroups || subgroupSize !== 8 || N % 16 !== 0) return undefined;
      const { ROWS, grid } = byLanes(subgroupSize, 5);
      return { kernel, constants: { ROWS }, grid };
    }
    case 'matmul_few': {
      if (!subgroups) return undefined;
      const lanes = Math.max(4, subgroupSize ?? 32);
      return {
        kernel,
        constants: { WORKGROUP: lanes, ROWS: rows },
        grid: [Math.ceil(N / 8 / lanes), Math.ceil(M / rows), 1],
      };
    }
    case 'matmul_split': {
      // Many rows in larger workgroups, which read the weights less often.
      const [columns, groups] = M <= mostFew ? [4, 1] : [8, 2];
      return {
        kernel,
        constants: { COLUMNS: columns, GROUPS: groups, ROWS: rows },
        grid: [Math.ceil(M / (rows * groups)), Math.ceil(N / (4 * columns)), 1],
      };
    }
    default:
      return kernel satisfies never;
  }
}

/** Which kernel does the linear layers; the plain one where it does not suit a layer. */
export interface MatmulChoice {
  readonly kernel: MatmulKernel;
  /** For eight rows or fewer, of the same family; without it the one that was made for them. */
  readonly few?: MatmulKernel;
  readonly support: KernelSupport;
}

/** The chosen kernel for a product of this shape, or the one that always does. */
export function chooseMatmul(
  { kernel, few = kernel === 'matmul_split' ? kernel : 'matmul_few', support }: MatmulChoice,
  shape: MatmulShape,
): KernelDispatch<MatmulKernel> {
  const preferred = shape.M <= mostFew ? [few, kernel] : [kernel];
  for (const name of preferred) {
    const found = matmulDispatch(name, shape, support);
    if (found) return found;
  }
  return matmulDispatch('matmul', shape, support)!;
}
