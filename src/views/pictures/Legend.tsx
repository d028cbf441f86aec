import { type ColourScale, cssGradient } from './color.ts';

/** Draws a picture's colours from its scale. */
export function Legend({ title, scale, masked = false }: { title: string; scale: ColourScale; masked?: boolean }) {
  return (
    <div className="legend">
      <span>{title}</span>
      <div className="legend-scale">
        <div className="legend-bar" style={{ backgroundImage: cssGradient(scale) }} />
        <div className="legend-ticks">
          {scale.ticks.map((tick) => (
            <span key={tick} style={{ insetInlineStart: `${scale.position(tick) * 100}%` }}>
              {scale.format(tick)}
            </span>
          ))}
        </div>
      </div>
      {masked && (
        <span className="legend-masked">
          <i className="hatch" /> masked
        </span>
      )}
    </div>
  );
}
