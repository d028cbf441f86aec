import type { KernelDispatch, KernelName, KernelSupport } from './kernels.ts';

/**
 * Kernels for a linear layer, by families. All kernels of a family compute a row to the bit the same, which is why rows can be
 * kept from one encode to the next. The first of a family takes any shape on any adapter.
 */
export const matmulFamilies = {
  inOneGo: ['matmul', 'matmul_quad', 'matmul_subgroup', 'matmul_few'],
  split: ['matmul_split'],
} as const satisfies Record<string, KernelName[]>;
export type MatmulKernel = (typeof matmulFamilies)[keyof typeof matmulFamilies][number];
export const matmulKernels: readonly MatmulKernel[] = Object.values(matmulFamilies).flat();

/** Shape of y [M, N] = x [M, K] · W [N, K]ᵀ: M rows, K is in and N is out. */
export interface MatmulShape {
  readonly M: number;
  readonly K: number;
  readonly N: number;
}

/** The largest number of rows that counts as few. The edit of a word changes as many rows as it has tokens, and EOS. */
const mostFew = 8;

/** Grid and constants (except K, N and EPILOGUE) for a product of this shape; undefined where the kernel cannot compute it here. */
export function matmulDispatch(
  kernel: MatmulKernel,
  { M, N }: MatmulShape,
  { subgroups, subgroupSize }: KernelSupport,
): KernelDispatch<MatmulKernel> | undefined {
  // The fewest workgroups that hold M rows, with rows spread evenly: rows past the end are computed too.
  const byLanes = (lanes: number, mostRows: number) => {
    const groups = Math.ceil(M / (mostRows * lanes));
    return { ROWS: Math.ceil(M / (groups * lanes)), grid: [groups, N / 16, 1] as const };
  };
  // Rows per lane. Rounded up to 2, 4 or 8 so that at most three pipelines are compiled.
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
      // Even numbers of rows need half as many pipelines; SwiftShader takes half a second to compile one.
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
      // Larger workgroups read the weights less often, but need many rows.
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

/** The kernel for linear layers; the plain one replaces it where it cannot compute a layer. */
export interface MatmulChoice {
  readonly kernel: MatmulKernel;
  /** Kernel of the same family for eight rows or fewer; without it the one that was made for them. */
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
