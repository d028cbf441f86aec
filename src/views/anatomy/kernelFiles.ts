import type { Stage } from '../../clip/stages.ts';
import attention from '../../cpu/kernels/attention.ts?raw';
import embeddings from '../../cpu/kernels/embeddings.ts?raw';
import layerNorm from '../../cpu/kernels/layer_norm.ts?raw';
import linear from '../../cpu/kernels/linear.ts?raw';
import matmul from '../../cpu/kernels/matmul.ts?raw';
import quickGelu from '../../cpu/kernels/quick_gelu.ts?raw';
import simd from '../../cpu/kernels/simd.ts?raw';
import weights from '../../cpu/kernels/weights.ts?raw';
import { type Kernel, kernels } from '../../gpu/kernels.ts';

/** Code that computes a stage. */
export interface KernelFile {
  /** The kernel by the name that profiles give it, or a file that kernels share. */
  readonly name: string;
  readonly source: string;
  /** Whether the function that reads stored weights goes before it. */
  readonly readsWeights?: boolean;
}

const cpuSources: Readonly<Record<string, string>> = {
  attention,
  embeddings,
  layer_norm: layerNorm,
  linear,
  matmul,
  quick_gelu: quickGelu,
  simd,
  weights,
};

/** The name of a stage's kernel, which may stand for variants of one. */
const kernelOf = ({ shaders }: Stage) => shaders[shaders.length - 1].replace('*', '');

/** The WGSL kernels that can do a stage. */
export function wgslFiles(stage: Stage): readonly KernelFile[] {
  const hasVariants = stage.shaders[stage.shaders.length - 1].endsWith('*');
  return Object.entries<Kernel>(kernels)
    .filter(([name]) => (hasVariants ? name.startsWith(kernelOf(stage)) : name === kernelOf(stage)))
    .map(([name, { source, weights }]) => ({ name, source, readsWeights: weights }));
}

/** The AssemblyScript of a stage's kernel, and then of the files that it imports. */
export function assemblyScriptFiles(stage: Stage): readonly KernelFile[] {
  const names = new Set([kernelOf(stage)]);
  for (const name of names)
    for (const [, imported] of cpuSources[name].matchAll(/from '\.\/(\w+)'/g)) names.add(imported);
  return [...names].map((name) => ({ name, source: cpuSources[name] }));
}
