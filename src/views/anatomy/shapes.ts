import type { ClipTextConfig } from '../../clip/config.ts';
import { type Size, sizeOf } from '../../clip/stages.ts';

/** A shape in letters and in this model's numbers: `L × d = 77 × 768`. */
export function shapeText(shape: readonly Size[], config: ClipTextConfig): string {
  return `${shape.join(' × ')} = ${shape.map((size) => sizeOf(size, config)).join(' × ')}`;
}
