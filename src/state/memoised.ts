/** Makes `derive` give its last result again for as long as every argument is the same value or object as before. */
export function memoised<A extends readonly unknown[], R>(derive: (...args: A) => R): (...args: A) => R {
  let last: { args: A; result: R } | undefined;
  return (...args) => {
    if (!last || args.some((arg, i) => !Object.is(arg, last?.args[i]))) last = { args, result: derive(...args) };
    return last.result;
  };
}
