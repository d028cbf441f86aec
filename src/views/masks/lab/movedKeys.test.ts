import { expect, test } from 'vitest';
import { movedKeys } from './movedKeys.ts';

const [bos, eos] = [1, 2];

test('keys follow their tokens, and go with them', () => {
  const before = [bos, 10, 11, 12, eos, eos, eos];
  expect(movedKeys([2], before, [bos, 10, 13, 11, 12, eos, eos])).toEqual([3]);
  expect(movedKeys([0, 2, 4], before, [bos, 10, 12, eos, eos, eos, eos])).toEqual([0, 3]);
  expect(movedKeys([1, 3], before, before)).toEqual([1, 3]);
  expect(movedKeys([1, 2, 3], before, [bos, 20, eos, eos, eos, eos, eos])).toEqual([]);
});
