import { expect, test } from 'vitest';
import { whole } from '../prompt/slices.ts';
import { answeringPrompt, shownAnswer } from './answering.ts';
import { answerAll, modelInfo, openPage, readyPage, tokenized } from './testing/fakeEncoder.ts';

test('before the weights are there, the answer says so', async () => {
  const { fake, store } = openPage();
  expect(shownAnswer(store.getState())).toBeUndefined();
  await tokenized(store);
  const last = () => whole(answeringPrompt(shownAnswer(store.getState())!)).sentences.at(-1)!.text;
  expect(last()).toBe('No numbers yet: the encoder’s weights are on their way.');
  await (await fake.nextLoad()).answer(modelInfo('synthetic', 'full'));
  // The encoder is at work: the answer before stays on show.
  expect(shownAnswer(store.getState())).toBeUndefined();
  await (await fake.nextEncode()).fail(new Error('out of memory'));
  expect(last()).toBe('No numbers yet: encoding failed: out of memory');
});

test('the answer follows the prompt on show, and is the same for the same facts', async () => {
  const { fake, store } = await readyPage();
  const { setPrompt, show } = store.getState();
  const facts = shownAnswer(store.getState())!;
  expect(facts).toMatchObject({ side: 'positive', layers: 12 });
  expect(shownAnswer(store.getState())).toBe(facts);
  setPrompt('positive', 'a (cat:1.2)');
  await answerAll(fake);
  expect(shownAnswer(store.getState())?.prepared.source).toBe('a (cat:1.2)');
  show({ side: 'negative' });
  await answerAll(fake);
  expect(shownAnswer(store.getState())).toMatchObject({ side: 'negative' });
  store.setState({ lost: { part: 'GPU', reason: 'the device was lost' }, model: null });
  expect(shownAnswer(store.getState())).toMatchObject({ zOf: null, hindrance: 'the GPU went away.' });
});
