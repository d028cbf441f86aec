/** The parts of the page that its address shows: `?embed=attention` for one panel in another page, `?hide=models,export`. */

import { isView, type View, viewTitles } from './view.ts';

/** Parts that an address can leave out, beside the views of the menu. */
export const hideableParts = ['header', 'examples', 'models', 'prompts', 'tools', 'strip', 'menu', 'link'] as const;
export type Part = (typeof hideableParts)[number] | View;

export interface ShownParts {
  /** The one panel on show; null for the whole page. */
  readonly embed: View | null;
  readonly hidden: ReadonlySet<Part>;
  /** Origin of the page that embeds this one, with which messages are exchanged; null where it is this page's own. */
  readonly host: string | null;
  /** The sentence that says what is wrong with the address. */
  readonly problem: string | null;
}

export const wholePage: ShownParts = { embed: null, hidden: new Set(), host: null, problem: null };

const isPart = (name: string): name is Part => isView(name) || (hideableParts as readonly string[]).includes(name);
const views = Object.keys(viewTitles).join(', ');

/** Reads the part of the address after `?`. What is wrong is left out and told; other parameters are passed over. */
export function readShownParts(search: string): ShownParts {
  const parameters = new URLSearchParams(search);
  const [embed, host] = [parameters.get('embed'), parameters.get('origin')];
  const names = (parameters.get('hide') ?? '').split(',').filter((name) => name !== '');
  const unknown = names.find((name) => !isPart(name));
  const isOrigin = host !== null && URL.canParse(host) && new URL(host).origin === host && host !== 'null';
  let problem: string | null = null;
  if (embed !== null && !isView(embed))
    problem = `The address asks for the panel “${embed}”, which is not one of ${views}: the whole page is shown.`;
  else if (unknown !== undefined)
    problem = `The address hides “${unknown}”, which is none of ${hideableParts.join(', ')} or a view (${views}).`;
  else if (host !== null && !isOrigin)
    problem = `The address has “${host}” for “origin”, which takes an origin such as https://example.org: no messages are exchanged.`;
  return {
    embed: embed !== null && isView(embed) ? embed : null,
    hidden: new Set(names.filter(isPart)),
    host: isOrigin ? host : null,
    problem,
  };
}
