# What is done once, when it is asked for (Terraform 1.14 and newer):
#
#   terraform apply -invoke=action.turingpi_power_cycle.worker
#
# and what is done each time a resource changes.

terraform {
  required_providers {
    turingpi = {
      source  = "k1s-dev/turingpi"
      version = ">= 2.0.0"
    }
  }
}

provider "turingpi" {}

action "turingpi_power_cycle" "worker" {
  config {
    node        = 2
    off_seconds = 1
  }
}

action "turingpi_uart" "greet" {
  config {
    node    = 1
    command = "root"
  }
}

resource "turingpi_power" "worker" {
  node  = 1
  state = "on"

  lifecycle {
    action_trigger {
      events  = [after_create, after_update]
      actions = [action.turingpi_uart.greet]
    }
  }
}
