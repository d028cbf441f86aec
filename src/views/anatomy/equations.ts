import type { TensorKey } from '../../clip/stages.ts';
import { lecture, type MappedRow } from '../../road/lecture.ts';

/** All numbers on the map, ascending. */
export const equationNumbers: readonly number[] = [...new Set(lecture.flatMap(({ equations }) => equations))].sort(
  (a, b) => a - b,
);

/** The row that is most about this equation: a stage before what is around it, and the one with the fewest others. */
export function rowOfEquation(number: number): MappedRow {
  const [row] = lecture
    .filter(({ equations }) => equations.includes(number))
    .sort((a, b) => Number(!a.stage) - Number(!b.stage) || a.equations.length - b.equations.length);
  return row;
}

/** The row whose operation makes this matrix. */
export function rowOfTensor(tensor: TensorKey): MappedRow {
  return lecture.find(({ operation }) => operation?.tensor === tensor)!;
}
