import type { Facts, Fault } from './facts.ts';

/** The page and browser that a fault came up in. */
export interface FaultSurroundings {
  readonly version: string;
  readonly browser: string;
}

/**
 * Writes what happened, as plain text for a bug report: where, the error with its stack, version, browser, model and
 * options. The prompts are in it only where the person asks for that; of their own accord errors may quote some of them.
 */
export function faultReport(
  { place, error }: Fault,
  { prompts, options, model, view, side }: Facts,
  { version, browser }: FaultSurroundings,
  withPrompts: boolean,
): string {
  const { stack = '', name, message } = error;
  const headline = `${name}: ${message}`;
  return [
    `clipscope ${version}: something went wrong in ${place}.`,
    stack.startsWith(headline) ? stack : `${headline}\n${stack}`.trimEnd(),
    '',
    `Browser: ${browser}`,
    `Model: ${model ? `${model.random ? 'made-up weights' : 'a file'}, ${model.config.numHiddenLayers} layers, ${model.dtype}` : 'none'}`,
    `On show: ${view}, ${side} prompt`,
    `Options: ${JSON.stringify(options)}`,
    withPrompts
      ? `Prompts: ${JSON.stringify(prompts)}`
      : `Prompts: left out (${prompts.positive.length} and ${prompts.negative.length} characters)`,
    '',
  ].join('\n');
}
