import { expect, test } from 'vitest';
import { askLatest } from './latest.ts';

/** Questions that are answered when the test says so; the clock goes on by 10 with each. */
function start() {
  const asked: { question: number; resolve(): void; reject(error: Error): void }[] = [];
  const rests: { milliseconds: number; end(): void }[] = [];
  const heard: (string | number)[] = [];
  let clock = 0;
  const latest = askLatest<number, string>({
    ask: (question) =>
      new Promise((resolve, reject) => {
        asked.push({ question, resolve: () => resolve(`answer ${question}`), reject });
        clock += 10;
      }),
    onAnswer: (answer) => heard.push(answer),
    onFailure: (error) => heard.push((error as Error).message),
    now: () => clock,
    wait: (milliseconds) => new Promise((end) => rests.push({ milliseconds, end })),
    restShare: () => 3,
  });
  const settle = () => new Promise((resolve) => setTimeout(resolve));
  return { latest, asked, rests, heard, settle };
}

test('the newest question is asked when the one before is answered and rested from; others are not', async () => {
  const { latest, asked, rests, heard, settle } = start();
  for (const question of [1, 2, 3]) latest.want(question);
  expect(asked.map(({ question }) => question)).toEqual([1]);
  asked[0].resolve();
  await settle();
  expect(heard).toEqual(['answer 1']);
  expect(rests.map(({ milliseconds }) => milliseconds)).toEqual([30]);
  latest.want(4);
  expect(asked).toHaveLength(1);
  rests[0].end();
  await settle();
  expect(asked.map(({ question }) => question)).toEqual([1, 4]);
});

test('a failure is told, and the next question is asked; a forgotten one is not', async () => {
  const { latest, asked, rests, heard, settle } = start();
  latest.want(1);
  latest.want(2);
  asked[0].reject(new Error('no'));
  await settle();
  latest.forget();
  rests[0].end();
  await settle();
  expect([heard, asked.length]).toEqual([['no'], 1]);
  latest.want(5);
  expect(asked[1].question).toBe(5);
});
