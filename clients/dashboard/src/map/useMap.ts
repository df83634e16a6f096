import { Map as MapLibre, NavigationControl, ScaleControl, setWorkerUrl } from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import worker from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import { useEffect, useState, type RefObject } from "react";
import { useShown } from "../theme";
import { config, recolour, showLand, styleOf, type Config } from "./style";

setWorkerUrl(new URL(worker, document.baseURI).href); // a file of our own: the policy allows no others

export interface MadeMap {
  map: MapLibre;
  config: Config;
}

/** A map in an element, once its style is there. North is up: who wants to know where something goes looks at its heading. */
export function useMap(where: RefObject<HTMLElement | null>): MadeMap | undefined {
  const [made, setMade] = useState<MadeMap>();
  const theme = useShown();

  useEffect(() => {
    let map: MapLibre | undefined;
    let isOver = false;
    const make = async (): Promise<void> => {
      const found = await config();
      const style = await styleOf(found);
      if (isOver || !where.current) return;
      const [lon, lat, zoom] = found.view ?? [0, 20, 1.3];
      map = new MapLibre({
        container: where.current, style, center: [lon, lat], zoom, minZoom: 0.5, maxZoom: 19, maxPitch: 0,
        dragRotate: false, pitchWithRotate: false, fadeDuration: 0, attributionControl: { compact: true },
      });
      map.touchZoomRotate.disableRotation();
      map.keyboard.disableRotation();
      map.addControl(new NavigationControl({ showCompass: false }), "bottom-right");
      map.addControl(new ScaleControl(), "bottom-left");
      map.once("load", () => {
        if (isOver || !map) return;
        showLand(map);
        recolour(map);
        setMade({ map, config: found });
      });
    };

    void make();
    return () => {
      isOver = true;
      setMade(undefined);
      map?.remove();
    };
  }, [where]);
  useEffect(() => {
    if (made) recolour(made.map);
  }, [made, theme]);
  return made;
}
