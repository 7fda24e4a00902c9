;; SPDX-License-Identifier: Apache-2.0
;; Blinks the LED every INTERVAL_MS milliseconds (500 unless configured) until it is asked to stop.
(module
  (import "pico:system" "sleep-ms" (func $sleep (param i32) (result i32)))
  (import "pico:log" "write" (func $log (param i32 i32 i32) (result i32)))
  (import "pico:config" "get" (func $config (param i32 i32 i32 i32) (result i32)))
  (import "pico:led" "set" (func $led (param i32) (result i32)))
  (memory 256 256 (pagesize 1))
  (data (i32.const 0) "led on")
  (data (i32.const 8) "led off")
  (data (i32.const 16) "INTERVAL_MS")
  (data (i32.const 32) "the LED was not granted")

  ;; The decimal number in the bytes from $at to $end; 0 when there is none.
  (func $number (param $at i32) (param $end i32) (result i32)
    (local $value i32) (local $digit i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $digit (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
        (br_if $done (i32.gt_u (local.get $digit) (i32.const 9)))
        (local.set $value (i32.add (i32.mul (local.get $value) (i32.const 10)) (local.get $digit)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (local.get $value))

  (func (export "run") (result i32)
    (local $interval i32) (local $length i32) (local $on i32)
    (local.set $length (call $config (i32.const 16) (i32.const 11) (i32.const 64) (i32.const 16)))
    (if (i32.and (i32.gt_s (local.get $length) (i32.const 0)) (i32.le_s (local.get $length) (i32.const 9)))
      (then (local.set $interval (call $number (i32.const 64) (i32.add (i32.const 64) (local.get $length))))))
    (if (i32.eqz (local.get $interval)) (then (local.set $interval (i32.const 500))))
    (loop $forever
      (local.set $on (i32.eqz (local.get $on)))
      (if (i32.lt_s (call $led (local.get $on)) (i32.const 0))
        (then
          (drop (call $log (i32.const 3) (i32.const 32) (i32.const 23)))
          (return (i32.const 1))))
      (if (local.get $on)
        (then (drop (call $log (i32.const 1) (i32.const 0) (i32.const 6))))
        (else (drop (call $log (i32.const 1) (i32.const 8) (i32.const 7)))))
      (br_if $forever (i32.eqz (call $sleep (local.get $interval)))))
    (drop (call $led (i32.const 0)))
    (i32.const 0)))
