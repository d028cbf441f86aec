/** Sizes of the denoiser, and the names and shapes of its tensors. */

import { drawnPlanes } from './drawnPicture.ts';

/**
 * A level of the U-Net. Level 0 has squares of 2 × 2 pixels for its rows, each further level squares of 2 × 2 rows of the one above;
 * the last level is the middle.
 */
export interface LevelConfig {
  /** Numbers of a row. */
  readonly channels: number;
  /** Blocks on the way down; in the last level all its blocks. */
  readonly down: number;
  /** Blocks on the way up; 0 in the last level. */
  readonly up: number;
  /** Whether each block looks at the rows of its own picture. */
  readonly self: boolean;
  /** Whether each block looks at the prompt's rows. */
  readonly cross: boolean;
  /** Width inside the MLP that ends each block, in widths of a row; 0 where there is none. */
  readonly mlp: number;
}

export interface DenoiserConfig {
  /** S, side of a picture. */
  readonly pictureSize: number;
  /** d, numbers of a row of the condition: the text tower's width. */
  readonly contextWidth: number;
  /** Numbers that the time becomes. */
  readonly timeWidth: number;
  /** Columns of a head of attention. */
  readonly headDim: number;
  readonly levels: readonly LevelConfig[];
}

/** Numbers of a row of level 0 as it comes from the picture: 2 × 2 pixels of all planes. */
export const pixelWidth = 4 * drawnPlanes;

/** Waves that tell the time: cosines and sines of so many frequencies each. */
export const timeWaves = 16;

/** Side of a level's grid in rows. */
export const sideOf = ({ pictureSize }: DenoiserConfig, level: number) => pictureSize / 2 ** (level + 1);

/** A block of a level: its name, its place on the way down or up, and its level. */
export interface BlockPlace {
  readonly name: string;
  readonly level: number;
}

/** The blocks in the order in which they run. */
export function blockPlaces({ levels }: DenoiserConfig): {
  readonly down: BlockPlace[][];
  readonly up: BlockPlace[][];
} {
  const places = (way: 'down' | 'up') =>
    levels.map((level, l) =>
      Array.from({ length: level[way] }, (_, i) => ({ name: `${way}.${l}.blocks.${i}`, level: l })),
    );
  return { down: places('down'), up: places('up') };
}

type Shapes = [string, readonly number[]][];

const linearShapes = (name: string, N: number, K: number): Shapes => [
  [`${name}.weight`, [N, K]],
  [`${name}.bias`, [N]],
];

/** Tensors of a block: a convolution whose norm the time sets, what it looks at, and an MLP. Q, K and V follow each other. */
function blockShapes(name: string, { channels: C, self, cross, mlp }: LevelConfig, config: DenoiserConfig): Shapes {
  const shapes: Shapes = [
    ...linearShapes(`${name}.modulation`, 2 * C, config.timeWidth),
    [`${name}.conv.weight`, [C, 3, 3, C]],
    [`${name}.conv.bias`, [C]],
    ...linearShapes(`${name}.out`, C, C),
  ];
  const attention = (kind: string, width: number): Shapes => [
    [`${name}.${kind}.norm.weight`, [C]],
    [`${name}.${kind}.norm.bias`, [C]],
    [`${name}.${kind}.to_q.weight`, [C, C]],
    [`${name}.${kind}.to_k.weight`, [C, width]],
    [`${name}.${kind}.to_v.weight`, [C, width]],
    ...(kind === 'cross' ? linearShapes(`${name}.${kind}.to_gate`, C, C) : []),
    ...linearShapes(`${name}.${kind}.to_out`, C, C),
  ];
  if (self) shapes.push(...attention('self', C));
  if (cross) shapes.push(...attention('cross', config.contextWidth));
  if (mlp > 0)
    shapes.push(
      [`${name}.mlp.norm.weight`, [C]],
      [`${name}.mlp.norm.bias`, [C]],
      ...linearShapes(`${name}.mlp.fc1`, mlp * C, C),
      ...linearShapes(`${name}.mlp.fc2`, C, mlp * C),
    );
  return shapes;
}

/** Shapes of all tensors. */
export function denoiserShapes(config: DenoiserConfig): Map<string, readonly number[]> {
  const { levels, timeWidth } = config;
  const { down, up } = blockPlaces(config);
  const blocks = [...down, ...up].flat().flatMap(({ name, level }) => blockShapes(name, levels[level], config));
  const between = levels
    .slice(1)
    .flatMap(({ channels }, l) => [
      ...linearShapes(`down.${l}.out`, channels, 4 * levels[l].channels),
      ...linearShapes(`up.${l}.in`, 4 * levels[l].channels, channels),
    ]);
  const positions = levels
    .slice(1)
    .map(({ channels }, l): Shapes[number] => [`positions.${l + 1}`, [sideOf(config, l + 1) ** 2, channels]]);
  const C = levels[0].channels;
  return new Map<string, readonly number[]>([
    ...linearShapes('time.0', timeWidth, 2 * timeWaves),
    ...linearShapes('time.1', timeWidth, timeWidth),
    ['input.weight', [C, 3, 3, pixelWidth]],
    ['input.bias', [C]],
    ...positions,
    ...between,
    ...blocks,
    ['output.norm.weight', [C]],
    ['output.norm.bias', [C]],
    ['output.weight', [pixelWidth, 3, 3, C]],
    ['output.bias', [pixelWidth]],
  ]);
}
