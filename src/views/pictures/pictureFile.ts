import { withPngText } from '../../files/pngText.ts';
import type { PictureOrigin } from '../../state/pictureOrigin.ts';
import type { ColourScale } from './color.ts';

/** Texts around a saved picture. */
export interface PictureText {
  readonly title: string;
  /** Names of the rows and columns. */
  readonly axes?: { readonly rows: string; readonly columns: string };
  /** Labels [rows] and [columns]; they are written only if there is room. */
  readonly labels?: { readonly rows?: readonly string[]; readonly columns?: readonly string[] };
  readonly legend?: { readonly title: string; readonly scale: ColourScale; readonly masked?: boolean | string };
}

/** Layout of a saved picture, in pixels. */
export interface PictureLayout {
  /** Size of a cell. */
  readonly cell: { readonly width: number; readonly height: number };
  /** Position of the first cell, and the space around the cells. */
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly rowLabels: boolean;
  readonly columnLabels: boolean;
}

/** Width that the cells are scaled to, as nearly as whole pixels allow. */
const target = 1500;
const largestCell = 48;
/** Smallest height of a readable label; rows that need no other height have it. */
const labelled = 12;
const labelledRow = 14;
const margin = 24;
const titleHeight = 44;
/** Height of a line under the title, which says of what the picture is. */
const originLine = 22;
const axisRoom = 26;
const labelRoom = 110;
const legendHeight = 70;

/**
 * Chooses whole pixels for a cell: square if the matrix is, otherwise rows as high as their labels. `lines` stand under
 * the title.
 */
export function pictureLayout(rows: number, columns: number, text: PictureText, lines = 0): PictureLayout {
  const scaled = Math.floor(target / columns);
  const width = Math.min(Math.max(scaled, 1), largestCell);
  const height = rows === columns || !text.labels?.rows ? width : labelledRow;
  const rowLabels = text.labels?.rows !== undefined && height >= labelled;
  const columnLabels = text.labels?.columns !== undefined && width >= labelled;
  const axis = text.axes ? axisRoom : 0;
  const left = margin + axis + (rowLabels ? labelRoom : 0);
  const top = margin + titleHeight + lines * originLine + axis + (columnLabels ? labelRoom : 0);
  return {
    cell: { width, height },
    left,
    top,
    rowLabels,
    columnLabels,
    width: Math.max(left + columns * width + margin, lines > 0 ? 560 : 420),
    height: top + rows * height + (text.legend ? legendHeight : 0) + margin,
  };
}

const sans = 'system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif';
const mono = 'ui-monospace, "SF Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace';

/** The lines under a picture's title: of what it is, and the prompts in quotes. */
export function originLines({ inShort, prompts }: PictureOrigin): readonly string[] {
  return [`${[inShort, 'clipscope'].filter(Boolean).join(' · ')}`, ...prompts.map((prompt) => `“${prompt}”`)];
}

/** Cuts a text off where it is longer than `room`. */
function fitted(context: CanvasRenderingContext2D, text: string, room: number): string {
  if (context.measureText(text).width <= room) return text;
  let length = text.length;
  while (length > 0 && context.measureText(`${text.slice(0, length)}…”`).width > room) length--;
  return `${text.slice(0, length)}…”`;
}

/** Makes a PNG of the picture on `canvas`, one pixel a cell, with its texts drawn and in its metadata. */
export async function pictureFile(
  canvas: HTMLCanvasElement,
  text: PictureText,
  origin: PictureOrigin,
): Promise<Uint8Array<ArrayBuffer>> {
  const drawn = drawPicture(canvas, text, originLines(origin));
  const blob = await new Promise<Blob | null>((resolve) => drawn.toBlob(resolve, 'image/png'));
  if (!blob) throw new Error('The browser makes no PNG of a picture of this size.');
  return withPngText(new Uint8Array(await blob.arrayBuffer()), {
    Title: text.title,
    Description: originLines(origin).join('\n'),
    Software: 'clipscope',
    ...(origin.saved !== undefined && { clipscope: origin.saved }),
  });
}

/**
 * Enlarges the picture on `canvas`, one pixel a cell, and adds title, `lines` under it, axes, labels and legend in the
 * page's colours.
 */
function drawPicture(canvas: HTMLCanvasElement, text: PictureText, lines: readonly string[]): HTMLCanvasElement {
  const { width: columns, height: rows } = canvas;
  const layout = pictureLayout(rows, columns, text, lines.length);
  const { left, top, cell } = layout;
  const out = document.createElement('canvas');
  out.width = layout.width;
  out.height = layout.height;
  const context = out.getContext('2d')!;
  const [ink, muted, surface, masked] = ['--text', '--muted', '--surface', '--masked'].map(pageColour);
  const [w, h] = [columns * cell.width, rows * cell.height];

  context.fillStyle = surface;
  context.fillRect(0, 0, out.width, out.height);
  context.textBaseline = 'middle';
  context.fillStyle = ink;
  context.font = `600 22px ${sans}`;
  context.fillText(text.title, margin, margin + titleHeight / 2 - 6, out.width - 2 * margin);
  context.fillStyle = muted;
  context.font = `15px ${sans}`;
  lines.forEach((line, i) => {
    const y = margin + titleHeight + (i + 0.5) * originLine - 8;
    context.fillText(fitted(context, line, out.width - 2 * margin), margin, y);
  });
  context.fillStyle = masked;
  context.fillRect(left, top, w, h);
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, left, top, w, h);

  context.fillStyle = muted;
  context.font = `15px ${sans}`;
  if (text.axes) {
    const y = margin + titleHeight + lines.length * originLine + axisRoom / 2 - 4;
    context.fillText(`${text.axes.columns} →`, left, y);
    context.save();
    context.translate(margin + axisRoom / 2 - 4, top);
    context.rotate(Math.PI / 2);
    context.fillText(`${text.axes.rows} →`, 0, 0);
    context.restore();
  }
  context.fillStyle = ink;
  const size = (room: number) => Math.min(Math.max(room - 2, 10), 15);
  if (layout.rowLabels) {
    context.textAlign = 'right';
    context.font = `${size(cell.height)}px ${mono}`;
    text.labels!.rows!.forEach((label, row) => {
      context.fillText(label, left - 6, top + (row + 0.5) * cell.height, labelRoom - 8);
    });
  }
  if (layout.columnLabels) {
    context.textAlign = 'left';
    context.font = `${size(cell.width)}px ${mono}`;
    text.labels!.columns!.forEach((label, column) => {
      context.save();
      context.translate(left + (column + 0.5) * cell.width, top - 6);
      context.rotate(-Math.PI / 2);
      context.fillText(label, 0, 0, labelRoom - 8);
      context.restore();
    });
  }
  if (text.legend) drawLegend(context, text.legend, left, top + h + 18, { ink, masked });
  return out;
}

function drawLegend(
  context: CanvasRenderingContext2D,
  { title, scale, masked }: NonNullable<PictureText['legend']>,
  x: number,
  y: number,
  colours: { readonly ink: string; readonly masked: string },
) {
  context.textAlign = 'left';
  context.fillStyle = colours.ink;
  context.font = `15px ${sans}`;
  context.fillText(title, x, y + 8);
  let at = Math.round(x + context.measureText(title).width) + 16;
  const bar = 260;
  for (let i = 0; i < bar; i++) {
    const from = Math.round((i / (bar - 1)) * 255) * 4;
    context.fillStyle = `rgb(${scale.table[from]} ${scale.table[from + 1]} ${scale.table[from + 2]})`;
    context.fillRect(at + i, y, 1, 16);
  }
  context.fillStyle = colours.ink;
  context.font = `13px ${sans}`;
  scale.ticks.forEach((tick, i) => {
    context.textAlign = i === 0 ? 'left' : i === scale.ticks.length - 1 ? 'right' : 'center';
    context.fillText(scale.format(tick), at + scale.position(tick) * bar, y + 28);
  });
  if (!masked) return;
  at += bar + 24;
  context.textAlign = 'left';
  context.fillStyle = colours.masked;
  context.fillRect(at, y, 16, 16);
  context.fillStyle = colours.ink;
  context.fillText(masked === true ? 'masked' : masked, at + 22, y + 8);
}

/** Returns a colour of the style sheet in a form that canvases and files accept: they do not know `light-dark()`. */
export function pageColour(name: string): string {
  const probe = document.createElement('i');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
