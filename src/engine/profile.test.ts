import { expect, test } from 'vitest';
import { groupSteps, meanProfile, type ProfiledStep, stage } from './profile.ts';

const step = (label: string, kernel: ProfiledStep['kernel'], milliseconds: number | null): ProfiledStep => ({
  label,
  kernel,
  milliseconds,
  flops: 4e6,
  bytes: 2e6,
});

test('steps of a kernel together, with their share and rates', () => {
  const steps = [
    step('layers.0.mlp.fc1', 'matmul', 1),
    step('layers.0.attention', 'attention', 2),
    step('layers.1.mlp.fc1', 'matmul', 5),
  ];
  const [matmul, attention] = groupSteps(steps);
  expect(matmul).toEqual({
    name: 'matmul',
    kernel: 'matmul',
    steps: 2,
    milliseconds: 6,
    share: 0.75,
    flops: 8e6,
    bytes: 4e6,
    gflopsPerSecond: 8 / 6,
    gigabytesPerSecond: 4 / 6,
  });
  expect([attention.name, attention.share]).toEqual(['attention', 0.25]);
  expect(groupSteps(steps, stage).map(({ name }) => name)).toEqual(['mlp.fc1', 'attention']);
});

test('without times there are sums and no rates, and a clock that says 0 gives none either', () => {
  const [none] = groupSteps([step('a', 'matmul', null)]);
  expect(none).toMatchObject({ milliseconds: null, share: null, gflopsPerSecond: null, flops: 4e6, bytes: 2e6 });
  const [zero] = groupSteps([step('a', 'matmul', 0)]);
  expect(zero).toMatchObject({ milliseconds: 0, share: null, gflopsPerSecond: null, gigabytesPerSecond: null });
});

test('several profiles as one: a clock that says 0 or 1 gives what lies between', () => {
  const profiles = [0, 1, 0, 0].map((time) => ({
    noTimes: null,
    steps: [step('a', 'matmul', time), step('b', 'attention', 2)],
  }));
  const { steps, noTimes } = meanProfile(profiles);
  expect(noTimes).toBeNull();
  expect(steps).toEqual([step('a', 'matmul', 0.25), step('b', 'attention', 2)]);
  const untimed = { noTimes: 'It has no clock.', steps: [step('a', 'matmul', null)] };
  expect(meanProfile([untimed, untimed])).toBe(untimed);
});
