import { expect, test } from 'vitest';
import { weightScale } from './color.ts';
import { fittingTicks } from './legendTicks.ts';
import { probabilityScale, signedScale } from './valueScales.ts';

const labels = (scale: ReturnType<typeof weightScale>, width: number) => fittingTicks(scale, width).map(scale.format);

test('a wide legend has all of its ticks', () => {
  for (const scale of [
    probabilityScale('linear', 0.8),
    probabilityScale('sqrt', 0.05),
    signedScale(0.0123, false, true),
  ])
    expect(fittingTicks(scale, 300)).toEqual(scale.ticks);
});

test.each([
  [probabilityScale('sqrt', 0.0123), 200, ['0', '0.005', '0.0123']],
  [probabilityScale('sqrt', 0.0123), 110, ['0', '0.0123']],
  [signedScale(0.0123, false, true), 170, ['≤ -0.0123', '0', '≥ +0.0123']],
  [signedScale(0.0123, false, true), 145, ['≤ -0.0123', '≥ +0.0123']],
  [signedScale(0.0123, false, true), 110, ['≥ +0.0123']],
  [weightScale(false), 110, ['≤ 0.5', '1', '≥ 2']],
])('a narrow legend has those whose labels do not overlap: %#', (scale, width, expected) => {
  expect(labels(scale, width)).toEqual(expected);
});
