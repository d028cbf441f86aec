import { expectedTensors } from '../clip/weights.ts';
import { elementCount, excerpt, shapeText } from '../files/tensorFile.ts';
import type { Examination, PositionIds } from './doctor.ts';

/** An `error` prevents the use of the checkpoint. A `warning` does not, but the result may not be the expected one. */
export type Severity = 'error' | 'warning' | 'note';

/** One fact about a checkpoint that an examination brought up. */
export interface Finding {
  readonly severity: Severity;
  /** One or two sentences. */
  readonly message: string;
  /** The tensors or positions that the message is about. */
  readonly items: readonly string[];
}

const severities: readonly Severity[] = ['error', 'warning', 'note'];

const tensorCount = (n: number) => (n === 1 ? '1 tensor' : `${n} tensors`);

/** Lists the findings about a checkpoint, the worst first. */
export function findings(examination: Examination): Finding[] {
  const { config, missing, misshapen, mistyped, extra, tensors, positionIds, notes } = examination;
  const found: Finding[] = [];
  const add = (severity: Severity, message: string, items: readonly string[] = []) =>
    found.push({ severity, message, items });

  if (missing.length > 0)
    add('error', `${missing.length} of the encoder’s ${expectedTensors(config).size} tensors are missing.`, missing);
  if (misshapen.length > 0)
    add(
      'error',
      `${tensorCount(misshapen.length)} of another shape than the encoder’s.`,
      misshapen.map(
        ({ fileName, shape, expected }) =>
          `${fileName}: ${shapeText(shape.slice(0, 8))}; expected ${shapeText(expected)}`,
      ),
    );
  if (mistyped.length > 0)
    add(
      'error',
      `${tensorCount(mistyped.length)} stored as a type that cannot be read as weights.`,
      mistyped.map(({ fileName, dtype }) => `${fileName}: ${dtype}`),
    );
  const broken = tensors.filter(({ nonFinite }) => nonFinite > 0);
  if (broken.length > 0)
    add(
      'error',
      `NaN or infinity in ${tensorCount(broken.length)}: the encoder’s output will be NaN, too.`,
      broken.map(({ fileName, nonFinite, firstNonFinite, shape }) => {
        const first = firstNonFinite && `, the first ${firstNonFinite.value} at ${shapeText(firstNonFinite.index)}`;
        return `${fileName}: ${nonFinite} of ${elementCount(shape)} elements${first ?? ''}`;
      }),
    );
  if (positionIds) addPositions(positionIds, add);
  const empty = tensors.filter(({ zeros, shape, name }) => name.endsWith('.weight') && zeros === elementCount(shape));
  if (empty.length > 0)
    add(
      'warning',
      `${tensorCount(empty.length)} of weights with nothing but zeros.`,
      empty.map(({ fileName }) => fileName),
    );
  if (extra.length > 0) add('note', `${tensorCount(extra.length)} beside the encoder’s that it does not use.`, extra);
  for (const note of notes) add('note', note.replaceAll("'", '’'));
  return found.sort((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity));
}

function addPositions(
  { fileName, wrong, collapsed }: PositionIds,
  add: (severity: Severity, message: string, items?: readonly string[]) => void,
): void {
  if (wrong.length === 0) return;
  const ids = wrong.length === 1 ? '1 id is not its position' : `${wrong.length} ids are not their positions`;
  add(
    'warning',
    `Broken position ids: in ${excerpt(fileName)} ${ids}. Programs that read them (A1111 and diffusers truncate, ComfyUI rounds) give those tokens another place; here they are not read.`,
    wrong.map(({ position, value, truncated, rounded }) =>
      truncated === rounded
        ? `position ${position}: ${value}`
        : `position ${position}: ${value}, truncated ${truncated}, rounded ${rounded}`,
    ),
  );
  if (collapsed.length > 0)
    add(
      'warning',
      `${collapsed.length === 1 ? '1 position collapses' : `${collapsed.length} positions collapse`}, truncated, onto another: two tokens share one position embedding.`,
      collapsed.map(({ position, onto }) => `position ${position} onto ${onto}`),
    );
}
