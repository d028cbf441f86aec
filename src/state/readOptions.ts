import {
  type Bounds,
  defaultOptions,
  isWithin,
  optionValues,
  type PromptOptions,
  type TextBound,
} from '../road/options.ts';

function isValue(name: keyof PromptOptions, value: unknown): boolean {
  const values: readonly unknown[] | Bounds | TextBound = optionValues[name];
  if ('longest' in values) return typeof value === 'string' && value.length <= values.longest;
  return 'least' in values ? isWithin(values, value) : values.includes(value);
}

/** Reads stored options. An option that is missing, or has a value that is not allowed (`bad`), takes its default. */
export function readOptions(stored: Readonly<Record<string, unknown>>): {
  readonly options: PromptOptions;
  readonly bad: readonly string[];
} {
  const bad: string[] = [];
  const read = Object.entries(defaultOptions).map(([name, byDefault]) => {
    const value = stored[name];
    if (isValue(name as keyof PromptOptions, value)) return [name, value];
    if (value !== undefined) bad.push(name);
    return [name, byDefault];
  });
  return { options: Object.fromEntries(read) as PromptOptions, bad };
}
